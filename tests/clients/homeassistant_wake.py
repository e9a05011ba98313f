"""Home Assistant's own Wyoming component hears words: run by its own Python.

`homeassistant_wake.py PORT WORD RECORDING…` prints the service's words, and what it found in each
recording: a raw s16le file at 16 kHz, sent in real time.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from homeassistant.components.wyoming.data import WyomingService
from homeassistant.components.wyoming.wake_word import WyomingWakeWordProvider
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant

CHUNK = 1024


async def chunks(path):
    raw = path.read_bytes()
    for start in range(0, len(raw), CHUNK):
        yield raw[start : start + CHUNK], start // 32
        await asyncio.sleep(CHUNK / 32_000)


async def main(port, word, paths):
    with tempfile.TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        service = await WyomingService.create("127.0.0.1", port)
        entry = ConfigEntry(
            version=1, minor_version=1, domain="wyoming", title="wake", data={}, source="user"
        )
        entity = WyomingWakeWordProvider(hass, entry, service)
        entity.entity_id = "wake_word.test"
        words = await entity.get_supported_wake_words()
        print("found:", json.dumps([[one.id, one.phrase] for one in words]))
        for path in map(Path, paths):
            result = await entity.async_process_audio_stream(chunks(path), word)
            found = result and [result.wake_word_id, result.wake_word_phrase, result.timestamp]
            print("found:", json.dumps(found))
        await hass.async_stop(force=True)


asyncio.run(main(int(sys.argv[1]), sys.argv[2] or None, sys.argv[3:]))
