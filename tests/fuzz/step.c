/* The step in C under sanitizers: plans of any shape, and audio in pieces of any length.

   With libFuzzer by clang; with -DREPLAY by any compiler, as a program that takes inputs as files.

   An input: how many numbers follow (16 bits, little-endian; the highest bit chooses the arithmetic
   with AVX2), so many numbers of 16 bits for the head of a plan, and a byte for each piece. */

#include <stdlib.h>

#include "../../wakeword_daemon/engine/_step.h"

enum { MOST_NUMBERS = 4096, MOST_FLOATS = 1 << 18, MOST_PIECES = 64 };

static uint32_t chance = 1;

static int32_t next(void) /* from -32768 to 32767 (Numerical Recipes' generator) */
{
    chance = chance * 1664525u + 1013904223u;
    return (int16_t)(chance >> 16);
}

static void *block(size_t floats) /* one of its own, so that the sanitizer knows where it ends */
{
    void *made = malloc(floats * sizeof(float));
    if (!made)
        abort();
    return memset(made, 0, floats * sizeof(float));
}

static void hear_piece(Stream *s, uint8_t piece, int wide)
{
    int frames = piece % 4 == 3;
    size_t count = frames ? piece / 4 % 16 : piece / 4 * 29, used;
    size_t each = frames ? 4 * (size_t)s->front->mels : 2;
    char *given = malloc(count * each + 1), *at = given;
    for (size_t n = 0; n < count * each / 2; n++)
        ((int16_t *)given)[n] = (int16_t)next(); /* as floats they may be anything */
#ifdef WITH_AVX2
    HearSamples *samples = wide ? hear_samples_avx2 : hear_samples_plain;
    HearFrames *log_mels = wide ? hear_frames_avx2 : hear_frames_plain;
#else
    HearSamples *samples = hear_samples_plain;
    HearFrames *log_mels = hear_frames_plain;
    (void)wide;
#endif
    for (; count; count -= used, at += used * each) {
        int made = frames ? log_mels(s, at, count, &used) : samples(s, at, count, &used);
        if (used > count || (!made && used < count))
            abort();
    }
    free(given);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int32_t head[MOST_NUMBERS];
    size_t parts[5], numbers, floats;
    Stream s = {0};
    if (size < 2)
        return 0;
    numbers = (size_t)(data[0] | (data[1] & 0x7f) << 8);
    int wide = data[1] >> 7;
#ifdef WITH_AVX2
    wide = wide && has_avx2();
#endif
    if (numbers > MOST_NUMBERS || 2 * numbers > size - 2)
        return 0;
    memset(head, 0, sizeof head);
    for (size_t n = 0; n < numbers; n++)
        head[n] = (int16_t)(data[2 + 2 * n] | data[3 + 2 * n] << 8);
    floats = lay_out(&s, head, MOST_NUMBERS, parts);
    if (!floats || floats > MOST_FLOATS)
        return 0;
    float *made = block(floats);
    chance = (uint32_t)size;
    for (size_t n = 0; n < floats; n++)
        made[n] = (float)next() / 65536;
    memcpy(made, head, (floats < MOST_NUMBERS ? floats : MOST_NUMBERS) * sizeof(float));
    float *tables = made + (s.tables - (float *)head);
    for (size_t n = (size_t)(tables - made); n < floats && n < MOST_NUMBERS; n++)
        made[n] = (float)next() / 65536;
    if (lay_out(&s, made, floats, parts) != floats)
        abort();
    s.samples = block(parts[0]), s.history = block(parts[1]), s.words = block(parts[2]);
    s.room = block(parts[3]), s.outputs = block(parts[4]);
    data += 2 + 2 * numbers, size -= 2 + 2 * numbers;
    for (size_t piece = 0; piece < size && piece < MOST_PIECES; piece++)
        hear_piece(&s, data[piece], wide);
    free(s.samples), free(s.history), free(s.words), free(s.room), free(s.outputs), free(made);
    return 0;
}

#ifdef REPLAY
#include <stdio.h>

int main(int count, char **paths)
{
    static uint8_t data[1 << 16];
    for (int n = 1; n < count; n++) {
        FILE *file = fopen(paths[n], "rb");
        if (!file)
            return 2;
        size_t size = fread(data, 1, sizeof data, file);
        fclose(file);
        uint8_t *own = memcpy(malloc(size + 1), data, size);
        LLVMFuzzerTestOneInput(own, size);
        free(own);
    }
    printf("%d\n", count - 1);
    return 0;
}
#endif
