#!/bin/sh
# Draws detection.png, of speech by flite: sh docs/pictures/detection.sh [WAKEWORD]
set -eu
wakeword=${1:-wakeword}
here=$(cd "$(dirname "$0")" && pwd)
. "$here/speech.sh"

say rms "She sold us a jar of honey." "$work/1.wav" 0.4 0.4
say slt "Jarvis," "$work/2.wav" 0.05 0.05
say slt "what will the weather be like?" "$work/3.wav" 0.15 0.15
sox -R "$work"/[1-3].wav "$work/speech.wav" pad 0 0.4
# The noise floor of a quiet room, instead of digital silence.
sox -R -n -r 16000 -c 1 "$work/room.wav" synth "$(soxi -D "$work/speech.wav")" pinknoise gain -55
sox -m -v 1 "$work/speech.wav" -v 1 "$work/room.wav" "$work/detection.wav"
"$wakeword" plot --word jarvis --output "$here/detection.png" "$work/detection.wav"
