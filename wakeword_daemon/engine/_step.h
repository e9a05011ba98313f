/* A stream and the two functions that feed it, shared by the arithmetic in _step.c and the Python
   module in _module.c. */

#ifndef STEP_H
#define STEP_H

#include <stdint.h>
#include <string.h>

#define TILE 32  /* outputs that are summed at once; matrices come in blocks of so many columns */
#define BLOCK 8  /* channels and hidden units are padded with zeros to a multiple of it */
#define MOST_WINDOW 1024
#define ROUND_UP(count, to) (((count) + (to) - 1) / (to) * (to))

typedef struct { /* the head of a plan: what all words share, and then each word's own */
    int32_t window, hop, mels, kernel_frames, stride_frames, words;
} Front;
typedef struct {
    int32_t bands, channels, kernel_mels, stride_mels, hidden, layers, attention, steps;
    int32_t weight_size; /* bytes of a number in the matrices: 4, or 2 for halves (IEEE 754 binary16) */
    int32_t outputs;     /* 1: a probability; more: so many scores of each step, without attention */
} Shape;
typedef struct {
    int32_t first, bins;
} Filter;

typedef struct {
    const Front *front; /* in the plan, which never changes */
    const Shape *shapes;
    const Filter *filters;
    const float *tables, *twiddles, *turns, *triangles, *weights;
    int32_t held_samples, held_frames;
    int64_t frames; /* so far */
    uint32_t made;  /* steps so far */
    int64_t energy; /* sum of the squares of the samples that came with the newest step */
    int16_t *samples;
    float *history; /* log-mel [mels, kernel_frames] */
    float *words;   /* of each word its hidden states [layers, hidden] and its window [steps, 2] */
    float *room, *outputs; /* the outputs of each word in whole tiles, if it has more than one */
} Stream;

/* Find the parts of a plan of `length` floats, and say how many floats each part of the stream takes:
   samples, history, words, room and outputs. Returns how many the plan must have, so that nothing
   is read or written past an end; 0 for what can be no plan. */
size_t lay_out(Stream *stream, const void *plan, size_t length, size_t parts[5]);

/* Both process input until a step is complete or nothing is left, return which of the two, and set
   how much they `used`. */
typedef int HearSamples(Stream *stream, const char *pcm, size_t samples, size_t *used);
typedef int HearFrames(Stream *stream, const char *frames, size_t count, size_t *used);
HearSamples hear_samples_plain, hear_samples_avx2;
HearFrames hear_frames_plain, hear_frames_avx2;

#ifdef WITH_AVX2
#include <cpuid.h>

/* Whether the processor has what is compiled with -DAVX2. Not every compiler's __builtin_cpu_supports
   knows the conversion of halves. */
static inline int has_avx2(void)
{
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
           && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

/* The radix of the FFT's next stage, of the length that is left; 0 if there is none. */
static inline int next_radix(int length)
{
    return length % 5 == 0 ? 5 : length % 4 == 0 ? 4 : length % 2 == 0 ? 2 : 0;
}

#endif
