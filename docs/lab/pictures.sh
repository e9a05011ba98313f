#!/bin/sh
# Draws the two example pictures again, of speech by flite: sh docs/lab/pictures.sh [WAKEWORD]
set -eu
wakeword=${1:-wakeword}
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../pictures/speech.sh"

# phrase VOICE TEXT NAME: with a pause on either side.
phrase() {
    say "$1" "$2" "$work/$3.wav" 0.3 0.5
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

phrase slt "good evening" good_evening
phrase rms "the harvest" harvest
phrase awb "jarring music" jarring_music
phrase slt "service" service
phrase kal "charge it" charge_it
phrase slt "jarvis" jarvis
phrase rms "yes please" yes_please
phrase awb "a jar of honey" jar_of_honey
phrase slt "java" java
phrase kal "carvings" carvings
phrase rms "good night" good_night
(cd "$work" && "$wakeword" plot --word jarvis --output "$here/jarvis.png" good_evening.wav \
    harvest.wav jarring_music.wav service.wav charge_it.wav jarvis.wav yes_please.wav \
    jar_of_honey.wav java.wav carvings.wav good_night.wav)

phrase rms "jarvis" jarvis_rms
mix jarvis 20 jarvis_20_dB
mix jarvis_rms 10 jarvis_10_dB
mix jarvis 5 jarvis_5_dB
mix jarvis_rms 0 jarvis_0_dB
mix jar_of_honey 5 jar_of_honey_5_dB
(cd "$work" && "$wakeword" plot --word jarvis --output "$here/jarvis-in-noise.png" \
    jarvis_20_dB.wav jarvis_10_dB.wav jarvis_5_dB.wav jarvis_0_dB.wav jar_of_honey_5_dB.wav)
