#!/bin/sh
# Draws the two example pictures again, of speech by flite: sh docs/lab/pictures.sh [WAKEWORD]
set -eu
wakeword=${1:-wakeword}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# say VOICE TEXT NAME: 16 kHz mono, with a pause on either side.
say() {
    flite -voice "$1" -t "$2" -o "$work/raw.wav"
    sox "$work/raw.wav" --rate 16000 --channels 1 --bits 16 "$work/$3.wav" pad 0.3 0.5 gain -n -6
}

# mix NAME DECIBELS MIXED: pink noise below the speech by so much, both by their RMS.
mix() {
    sox -R -n -r 16000 -c 1 "$work/noise.wav" synth "$(soxi -D "$work/$1.wav")" pinknoise
    gain=$(echo "$(level "$work/$1.wav") $(level "$work/noise.wav") $2" | awk '{print $1 - $2 - $3}')
    sox "$work/noise.wav" "$work/low.wav" gain "$gain"
    sox -m -v 1 "$work/$1.wav" -v 1 "$work/low.wav" "$work/$3.wav"
}

level() {
    sox "$1" -n stats 2>&1 | awk '/RMS lev dB/ {print $4}'
}

say slt "good evening" good_evening
say rms "the harvest" harvest
say awb "jarring music" jarring_music
say slt "service" service
say kal "charge it" charge_it
say slt "jarvis" jarvis
say rms "yes please" yes_please
say awb "a jar of honey" jar_of_honey
say slt "java" java
say kal "carvings" carvings
say rms "good night" good_night
(cd "$work" && "$wakeword" plot --word jarvis --output "$here/jarvis.png" good_evening.wav \
    harvest.wav jarring_music.wav service.wav charge_it.wav jarvis.wav yes_please.wav \
    jar_of_honey.wav java.wav carvings.wav good_night.wav)

say rms "jarvis" jarvis_rms
mix jarvis 20 jarvis_20_dB
mix jarvis_rms 10 jarvis_10_dB
mix jarvis 5 jarvis_5_dB
mix jarvis_rms 0 jarvis_0_dB
mix jar_of_honey 5 jar_of_honey_5_dB
(cd "$work" && "$wakeword" plot --word jarvis --output "$here/jarvis-in-noise.png" \
    jarvis_20_dB.wav jarvis_10_dB.wav jarvis_5_dB.wav jarvis_0_dB.wav jar_of_honey_5_dB.wav)
