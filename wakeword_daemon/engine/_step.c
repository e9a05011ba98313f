/* One stream of audio through the front end and the networks, in C.

   It computes what `numpy_stream` computes with numpy, whose modules give formulas and sources, from
   the plan that `native` packs. A step allocates nothing, reads no locale and sets no errno.

   It is compiled once for vectors of four floats, which SSE2 and NEON have, and on x86-64 once more
   with -DAVX2 for vectors of eight; _module.c chooses when it is loaded. */

#include "_step.h"

#ifdef AVX2
#include <immintrin.h>
#define LANES 8
#define VARIANT(name) name##_avx2
#else
#ifdef __aarch64__
#include <arm_neon.h>
#endif
#define LANES 4
#define VARIANT(name) name##_plain
#endif
typedef float Lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int16_t Short __attribute__((vector_size(2 * LANES)));
typedef int32_t Whole __attribute__((vector_size(4 * LANES)));
typedef uint32_t Bits __attribute__((vector_size(4 * LANES)));
#define INLINE static inline __attribute__((always_inline))

/* exp, log, tanh and the logistic function, to about 1e-7. NaN ends at a bound. */

INLINE Lanes within(Lanes x, float low, float high)
{
    Bits below = (Bits)(x < high), above;
    x = (Lanes)(((Bits)x & below) | ((Bits)(high + (Lanes){0}) & ~below));
    above = (Bits)(x > low);
    return (Lanes)(((Bits)x & above) | ((Bits)(low + (Lanes){0}) & ~above));
}

INLINE Lanes exponential(Lanes x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: the sum ends in the integer next to x / ln 2 */
    x = within(x, -80.0f, 80.0f);
    Lanes sum = x * 1.44269504f + magic, power = sum - magic;
    Lanes r = x - power * 0.693359375f + power * 2.12194440e-4f; /* x - power ln 2 */
    Lanes e = 1.0f / 120 + r * (1.0f / 720 + r * (1.0f / 5040)); /* Taylor's series */
    e = 1.0f + r * (1.0f + r * (0.5f + r * (1.0f / 6 + r * (1.0f / 24 + r * e))));
    return e * (Lanes)(((Bits)sum << 23) + (127u << 23)); /* the exponent of 2^power */
}

INLINE Lanes logistic(Lanes x) { return 1.0f / (1.0f + exponential(-x)); }

INLINE Lanes hyperbolic_tangent(Lanes x) { return 2.0f * logistic(2.0f * x) - 1.0f; }

INLINE Lanes logarithm(Lanes x) /* of positive, normal numbers */
{
    Bits scaled = (Bits)x - 0x3f3504f3u; /* so that the mantissa lies around 1 */
    Whole power = (Whole)scaled >> 23;
    x = (Lanes)((Bits)x - ((Bits)power << 23));
    Lanes t = (x - 1.0f) / (x + 1.0f), s = t * t; /* log x = 2 artanh t */
    Lanes series = 2.0f + s * (2.0f / 3 + s * (2.0f / 5 + s * (2.0f / 7 + s * (2.0f / 9))));
    return __builtin_convertvector(power, Lanes) * 0.693147181f + t * series;
}

/* The front end: frames side by side as the lanes of a vector; complex numbers as [re, im]. */

INLINE void put(Lanes *y, Lanes re, Lanes im, const float *twiddle)
{
    y[0] = re, y[1] = im;
    if (twiddle) {
        y[0] = re * twiddle[0] - im * twiddle[1];
        y[1] = re * twiddle[1] + im * twiddle[0];
    }
}

/* A DFT of `radix` numbers that lie `apart`, times the twiddle factors of all but the first. */
INLINE void butterfly(int radix, const Lanes *x, int apart, const float *twiddle, Lanes *y, int to)
{
    static const float cosines[] = {1, 0.309016994f, -0.809016994f, -0.809016994f, 0.309016994f};
    static const float sines[] = {0, 0.951056516f, 0.587785252f, -0.587785252f, -0.951056516f};
    const Lanes *a = x, *b = x + 2 * apart, *c = b + 2 * apart, *d = c + 2 * apart;
    if (radix == 2) {
        put(y, a[0] + b[0], a[1] + b[1], NULL);
        put(y + 2 * to, a[0] - b[0], a[1] - b[1], twiddle);
    } else if (radix == 4) {
        Lanes re = a[0] + c[0], im = a[1] + c[1], even_re = a[0] - c[0], even_im = a[1] - c[1];
        Lanes sum_re = b[0] + d[0], sum_im = b[1] + d[1];
        Lanes odd_re = b[0] - d[0], odd_im = b[1] - d[1];
        put(y, re + sum_re, im + sum_im, NULL);
        put(y + 2 * to, even_re + odd_im, even_im - odd_re, twiddle);
        put(y + 4 * to, re - sum_re, im - sum_im, twiddle ? twiddle + 2 : NULL);
        put(y + 6 * to, even_re - odd_im, even_im + odd_re, twiddle ? twiddle + 4 : NULL);
    } else { /* 5: numbers k and 5 - k have sums and differences in common */
        const Lanes *e = d + 2 * apart;
        Lanes sums[2][2] = {{b[0] + e[0], b[1] + e[1]}, {c[0] + d[0], c[1] + d[1]}};
        Lanes differences[2][2] = {{b[0] - e[0], b[1] - e[1]}, {c[0] - d[0], c[1] - d[1]}};
        for (int k = 1; k <= 2; k++) {
            float c1 = cosines[k], c2 = cosines[2 * k], s1 = sines[k], s2 = sines[2 * k];
            Lanes re = a[0] + c1 * sums[0][0] + c2 * sums[1][0];
            Lanes im = a[1] + c1 * sums[0][1] + c2 * sums[1][1];
            Lanes turned_re = s1 * differences[0][1] + s2 * differences[1][1];
            Lanes turned_im = s1 * differences[0][0] + s2 * differences[1][0];
            put(y + 2 * k * to, re + turned_re, im - turned_im,
                twiddle ? twiddle + 2 * (k - 1) : NULL);
            put(y + 2 * (5 - k) * to, re - turned_re, im + turned_im,
                twiddle ? twiddle + 2 * (4 - k) : NULL);
        }
        put(y, a[0] + sums[0][0] + sums[1][0], a[1] + sums[0][1] + sums[1][1], NULL);
    }
}

/* One stage of Stockham's FFT (Van Loan, Computational Frameworks for the FFT, 1992). */
INLINE const float *stage(int radix, int length, int stride, const float *twiddle, const Lanes *x,
                          Lanes *y)
{
    int rest = length / radix;
    for (int q = 0; q < stride; q++)
        butterfly(radix, x + 2 * q, stride * rest, NULL, y + 2 * q, stride);
    for (int p = 1; p < rest; p++, twiddle += 2 * (radix - 1))
        for (int q = 0; q < stride; q++)
            butterfly(radix, x + 2 * (q + stride * p), stride * rest, twiddle,
                      y + 2 * (q + stride * radix * p), stride);
    return twiddle;
}

/* Power spectra of real signals from the FFT of their even and odd samples, [bins]. */
INLINE void powers(int points, const float *turn, const Lanes *z, Lanes *power)
{
    for (int k = 0; k <= points / 2; k++, turn += 2) {
        const Lanes *a = z + 2 * k, *b = z + 2 * (k ? points - k : 0);
        Lanes even_re = a[0] + b[0], even_im = a[1] - b[1];
        Lanes odd_re = a[1] + b[1], odd_im = b[0] - a[0];
        Lanes re = turn[0] * odd_re - turn[1] * odd_im, im = turn[0] * odd_im + turn[1] * odd_re;
        Lanes sum_re = even_re + re, sum_im = even_im + im;
        Lanes other_re = even_re - re, other_im = even_im - im;
        power[k] = sum_re * sum_re + sum_im * sum_im; /* four times as much: the window is halved */
        power[points - k] = other_re * other_re + other_im * other_im;
    }
}

/* Make `count` frames, at most LANES, from `pcm` on. */
static void log_mel(Stream *s, const int16_t *pcm, int count)
{
    Lanes one[MOST_WINDOW] __attribute__((aligned(64)));
    Lanes two[MOST_WINDOW] __attribute__((aligned(64)));
    const Front *f = s->front;
    const int16_t *lanes[LANES]; /* idle ones repeat the last frame */
    for (int lane = 0; lane < LANES; lane++)
        lanes[lane] = pcm + (lane < count ? lane : count - 1) * f->hop;
    for (int n = 0; n < f->window; n++) {
        Short sample;
        for (int lane = 0; lane < LANES; lane++)
            sample[lane] = lanes[lane][n];
        one[n] = __builtin_convertvector(sample, Lanes) * s->tables[n];
    }
    Lanes *x = one, *y = two;
    const float *twiddle = s->twiddles, *triangle = s->triangles;
    for (int length = f->window / 2, stride = 1, radix; length > 1; length /= radix, stride *= radix) {
        radix = next_radix(length);
        twiddle = radix == 5   ? stage(5, length, stride, twiddle, x, y)
                  : radix == 4 ? stage(4, length, stride, twiddle, x, y)
                               : stage(2, length, stride, twiddle, x, y);
        Lanes *swap = x;
        x = y, y = swap;
    }
    powers(f->window / 2, s->turns, x, y);
    for (int mel = 0; mel < f->mels; mel++) {
        Lanes sum = {0}, *power = y + s->filters[mel].first;
        for (int bin = 0; bin < s->filters[mel].bins; bin++)
            sum += *triangle++ * power[bin];
        sum = logarithm(within(sum, s->tables[f->window], s->tables[f->window + 1]));
        float *frames = s->history + mel * f->kernel_frames + s->held_frames;
        if (count == LANES)
            *(Lanes *)frames = sum;
        else
            memcpy(frames, &sum, (size_t)count * sizeof *frames);
    }
    s->held_frames += count;
}

/* The network of a word. Its weights lie in the order of use: each part returns where they go on. */

/* `count` bands of the convolution, of LANES channels. A band's kernel covers whole rows of the
   history, so its input is one run of it. */
INLINE void convolve_bands(int count, const float *x, int apart, const float *kernel, int taps,
                           float *maps, int channels)
{
    Lanes sums[6] = {{0}};
    for (int tap = 0; tap < taps; tap++)
        for (int band = 0; band < count; band++)
            sums[band] += x[band * apart + tap] * *(const Lanes *)(kernel + tap * BLOCK);
    for (int band = 0; band < count; band++)
        *(Lanes *)(maps + band * channels) = sums[band];
}

INLINE const float *convolve(const Shape *a, int frames, const float *w, const float *x, float *maps)
{
    int taps = a->kernel_mels * frames, apart = a->stride_mels * frames;
    for (int channel = 0; channel < a->channels; channel += LANES) {
        const float *kernel = w + channel / BLOCK * BLOCK * taps + channel % BLOCK;
        int band = 0;
        for (; band + 6 <= a->bands; band += 6)
            convolve_bands(6, x + band * apart, apart, kernel, taps,
                           maps + band * a->channels + channel, a->channels);
        for (; band < a->bands; band++)
            convolve_bands(1, x + band * apart, apart, kernel, taps,
                           maps + band * a->channels + channel, a->channels);
    }
    return w + taps * a->channels;
}

/* LANES weights. Halves become floats without rounding. */
INLINE Lanes weights(int size, const char *w)
{
    if (size == 4)
        return *(const Lanes *)w;
#ifdef AVX2
    return (Lanes)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)w));
#elif defined(__aarch64__)
    return (Lanes)vcvt_f32_f16(vld1_f16((const float16_t *)w));
#else
    typedef uint16_t Halves __attribute__((vector_size(2 * LANES), aligned(2), may_alias));
    Bits half = __builtin_convertvector(*(const Halves *)w, Bits);
    Lanes magnitude = (Lanes)((half & 0x7fffu) << 13) * 0x1p112f;
    return (Lanes)((Bits)magnitude | (half & 0x8000u) << 16);
#endif
}

/* y = W x + b, with W in blocks [outputs / TILE][b, then inputs][TILE]; a weight has `size` bytes. */
INLINE const float *multiply(int size, const float *w, const float *x, int inputs, float *y,
                             int outputs)
{
    const char *at = (const char *)w;
    for (int output = 0; output < outputs; output += TILE) {
        Lanes sums[TILE / LANES];
        memcpy(sums, at, sizeof sums);
        at += sizeof sums;
        for (int input = 0; input < inputs; input += BLOCK)
            for (int row = 0; row < BLOCK; row++, at += TILE * size)
                for (int part = 0; part < TILE / LANES; part++)
                    sums[part] += x[input + row] * weights(size, at + part * LANES * size);
        memcpy(y + output, sums, sizeof sums);
    }
    return (const float *)at;
}

/* The same, with a loop of its own for each size. */
INLINE const float *product(const Shape *a, const float *w, const float *x, int inputs, float *y,
                            int outputs)
{
    return a->weight_size == 2 ? multiply(2, w, x, inputs, y, outputs)
                               : multiply(4, w, x, inputs, y, outputs);
}

INLINE const float *gru(const Shape *a, const float *w, const float *x, int inputs, float *hidden,
                        float *room)
{
    int size = a->hidden, outputs = ROUND_UP(3 * size, TILE);
    const Lanes *input_part = (Lanes *)room, *hidden_part = (Lanes *)(room + outputs);
    w = product(a, w, x, inputs, room, outputs);
    w = product(a, w, hidden, size, room + outputs, outputs);
    for (int r = 0, u = size / LANES, c = 2 * u; r < size / LANES; r++, u++, c++) {
        Lanes reset = logistic(input_part[r] + hidden_part[r]), *h = (Lanes *)hidden + r;
        Lanes update = logistic(input_part[u] + hidden_part[u]);
        Lanes candidate = hyperbolic_tangent(input_part[c] + reset * hidden_part[c]);
        *h = candidate + update * (*h - candidate);
    }
    return w;
}

INLINE float total(Lanes x)
{
    float sum = 0;
    for (int lane = 0; lane < LANES; lane++)
        sum += x[lane];
    return sum;
}

INLINE const float *attend(const Shape *a, const float *w, const float *hidden, float *newest,
                           float *window, float *room, float *probability)
{
    int inner = ROUND_UP(a->attention, TILE);
    Lanes energy = {0}, vote = {0};
    w = product(a, w, hidden, a->hidden, room, inner);
    for (int unit = 0; unit < inner; unit += LANES, w += LANES)
        energy += hyperbolic_tangent(*(Lanes *)(room + unit)) * *(const Lanes *)w;
    for (int unit = 0; unit < a->hidden; unit += LANES, w += LANES)
        vote += *(const Lanes *)(hidden + unit) * *(const Lanes *)w;
    newest[0] = exponential(total(energy) + (Lanes){0})[0];
    newest[1] = newest[0] * (total(vote) + *w);
    float weight = 0, log_odds = 0;
    for (int step = 0; step < a->steps; step++) {
        weight += window[2 * step];
        log_odds += window[2 * step + 1];
    }
    *probability = logistic(log_odds / weight + (Lanes){0})[0];
    return w + BLOCK;
}

static void make_step(Stream *s)
{
    const Front *f = s->front;
    const float *w = s->weights;
    float *state = s->words, *output = s->outputs;
    for (int word = 0; word < f->words; word++) {
        const Shape *a = s->shapes + word;
        int inputs = a->bands * a->channels;
        float *input = s->room, *room = input + inputs;
        w = convolve(a, f->kernel_frames, w, s->history, input);
        for (int layer = 0; layer < a->layers; layer++) {
            w = gru(a, w, input, inputs, state, room);
            input = state, inputs = a->hidden;
            state += a->hidden;
        }
        if (a->outputs > 1) {
            int tiles = ROUND_UP(a->outputs, TILE);
            w = product(a, w, input, a->hidden, output, tiles);
            output += tiles;
        } else {
            float *newest = state + s->made % (uint32_t)a->steps * 2;
            w = attend(a, w, input, newest, state, room, output++);
        }
        state += ROUND_UP(2 * a->steps, BLOCK);
    }
    s->made++;
    s->held_frames -= f->stride_frames;
    /* Each row loses its oldest frames; what moves in at its end is overwritten. */
    memmove(s->history, s->history + f->stride_frames,
            (size_t)(f->mels * f->kernel_frames - f->stride_frames) * sizeof *s->history);
}

/* The frames of a step are made together, so that vectors are full whatever pieces the audio comes in.
*/

int VARIANT(hear_samples)(Stream *s, const char *pcm, size_t samples, size_t *used)
{
    const Front *f = s->front;
    for (*used = 0; *used < samples;) {
        int due = (f->kernel_frames - s->held_frames - 1) % f->stride_frames + 1;
        size_t missing = (size_t)(f->window + (due - 1) * f->hop - s->held_samples);
        size_t taken = samples - *used < missing ? samples - *used : missing;
        memcpy(s->samples + s->held_samples, pcm + 2 * *used, 2 * taken);
        s->held_samples += (int32_t)taken;
        *used += taken;
        if (taken < missing)
            break;
        s->energy = 0;
        for (int n = f->window - f->hop; n < s->held_samples; n++)
            s->energy += (int32_t)s->samples[n] * s->samples[n];
        for (int frame = 0; frame < due; frame += LANES)
            log_mel(s, s->samples + frame * f->hop, due - frame < LANES ? due - frame : LANES);
        s->frames += due;
        s->held_samples -= due * f->hop;
        memmove(s->samples, s->samples + due * f->hop, 2 * (size_t)s->held_samples);
        if (s->held_frames == f->kernel_frames) {
            make_step(s);
            return 1;
        }
    }
    return 0;
}

int VARIANT(hear_frames)(Stream *s, const char *frames, size_t count, size_t *used)
{
    const Front *f = s->front;
    s->held_samples = 0;
    for (*used = 0; *used < count;) {
        for (int mel = 0; mel < f->mels; mel++, frames += sizeof(float))
            memcpy(s->history + mel * f->kernel_frames + s->held_frames, frames, sizeof(float));
        s->frames++;
        s->energy = 0;
        ++*used;
        if (++s->held_frames == f->kernel_frames) {
            make_step(s);
            return 1;
        }
    }
    return 0;
}
