#!/bin/sh
# Makes the synthesized speech again: the tests' here, and the demo recording in models/.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# say VOICE TEXT WAV [PADDING]: 16 kHz mono between two stretches of silence.
say() {
    flite -voice "$1" -t "$2" -o "$work/raw.wav"
    sox "$work/raw.wav" --rate 16000 --channels 1 --bits 16 "$3" pad "${4:-0.5}" "${4:-0.5}"
}

say slt "jarvis" jarvis-slt.flac
say rms "jarvis" jarvis-rms.flac
say slt "close the window" other-slt.flac

say slt "Good evening. What will the weather be like tomorrow?" "$work/1.wav"
say slt "Jarvis!" "$work/2.wav" 0.2
say slt "Turn on the light in the kitchen." "$work/3.wav" 0.2
say rms "We went to the harvest market, and she sold us a jar of honey." "$work/4.wav"
say rms "Jarvis!" "$work/5.wav" 0.2
say rms "Play some music." "$work/6.wav" 0.2
say awb "Please close the window before you leave." "$work/7.wav"
say slt "Jarvis!" "$work/8.wav" 0.2
say slt "How long until the train leaves?" "$work/9.wav" 0.2
sox "$work"/[1-9].wav ../../models/demo.flac
