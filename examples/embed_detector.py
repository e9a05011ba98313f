"""Detect wake words in your own audio, without the daemon.

Reads 16-bit mono samples at 16 kHz from standard input and prints each word with the second at
which it ended:

    arecord --quiet --format S16_LE --rate 16000 --file-type raw | python examples/embed_detector.py
    ffmpeg -i evening.mp3 -f s16le -ar 16000 -ac 1 - | python examples/embed_detector.py alexa
"""

import sys

import numpy as np

from wakeword_daemon import Detector, WakewordError, WordSettings, load_model

SAMPLE_RATE = 16_000
BYTES = 2 * 1280  # of 80 ms; any other number will do


def main(words: list[str]) -> None:
    """Listen for the words until the input ends."""
    settings = {word: WordSettings(refractory=2.0) for word in words}
    detector = Detector([load_model(word) for word in words], settings)
    while chunk := sys.stdin.buffer.read(BYTES):
        samples = np.frombuffer(chunk, np.int16, count=len(chunk) // 2)
        for detection in detector.push(samples):
            second = detection.sample / SAMPLE_RATE
            print(f"{second:7.2f} s  {detection.word}  {detection.score:.2f}", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:] or ["jarvis"])
    except WakewordError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
