# Read by the scripts that draw pictures of speech: makes the folder $work, which goes at the end.
# shellcheck shell=sh
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# say VOICE TEXT WAV BEFORE AFTER: by flite, 16 kHz mono, with so many seconds of silence around it.
say() {
    flite -voice "$1" -t "$2" -o "$work/raw.wav"
    sox "$work/raw.wav" --rate 16000 --channels 1 --bits 16 "$3" pad "$4" "$5" gain -n -6
}
