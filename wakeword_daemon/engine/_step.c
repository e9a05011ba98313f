/* One step of the engine in C: samples to log-mel frames, frames to probabilities.

   It computes what `logmel`, `crnn`, `gru` and `attention` do with numpy, from the same arrays;
   their docstrings give formulas and sources. The caller provides all memory: nothing here
   allocates, reads the locale or sets errno. gcc and clang make SSE or NEON of the vectors of four.
   Wider ones gain little, as was measured, because a step waits for its weights. */

#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define INTERFACE 1 /* as in streams.py; raised when arguments or layouts change */
#define LANES 4 /* numbers in a vector, and frames that are transformed side by side */
typedef float Lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define INLINE static inline

/* exp, log and tanh of float32, to about 1e-7. Comparisons are such that NaN ends at a bound. */

INLINE float exponential(float x)
{
    x = x < 80.0f ? x > -80.0f ? x : -80.0f : 80.0f;
    int32_t power = (int32_t)(x * 1.44269504f + (x < 0 ? -0.5f : 0.5f));
    float r = x - (float)power * 0.693359375f + (float)power * 2.12194440e-4f; /* x - power ln 2 */
    float e = 1.0f / 120 + r * (1.0f / 720 + r * (1.0f / 5040)); /* Taylor's series */
    e = 1.0f + r * (1.0f + r * (0.5f + r * (1.0f / 6 + r * (1.0f / 24 + r * e))));
    int32_t bits = (power + 127) * (1 << 23);
    memcpy(&r, &bits, sizeof r);
    return e * r;
}

INLINE float hyperbolic_tangent(float x)
{
    x = x < 9.0f ? x > -9.0f ? x : -9.0f : 9.0f;
    return 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f);
}

INLINE float logarithm(float x) /* of a positive, normal number */
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    int32_t power = (bits - 0x3f3504f3) >> 23; /* so that the mantissa lies around 1 */
    bits -= power * (1 << 23);
    memcpy(&x, &bits, sizeof x);
    float t = (x - 1.0f) / (x + 1.0f), s = t * t; /* log x = 2 artanh t */
    float series = 2.0f + s * (2.0f / 3 + s * (2.0f / 5 + s * (2.0f / 7 + s * (2.0f / 9))));
    return (float)power * 0.693147181f + t * series;
}

/* y[o] = sum over i of x[i] * w[i][o], as many outputs at once as the registers hold. */
INLINE void multiply(const float *x, const float *w, float *y, int inputs, int outputs)
{
    int o = 0;
    for (; o + 4 * LANES <= outputs; o += 4 * LANES) {
        Lanes sums[4] = {{0}};
        for (int i = 0; i < inputs; i++) {
            const Lanes *row = (const Lanes *)(w + (size_t)i * outputs + o);
            for (int tile = 0; tile < 4; tile++)
                sums[tile] += x[i] * row[tile];
        }
        memcpy(y + o, sums, sizeof sums);
    }
    for (; o + LANES <= outputs; o += LANES) {
        Lanes sum = {0};
        for (int i = 0; i < inputs; i++)
            sum += x[i] * *(const Lanes *)(w + (size_t)i * outputs + o);
        *(Lanes *)(y + o) = sum;
    }
    for (; o < outputs; o++) {
        y[o] = 0;
        for (int i = 0; i < inputs; i++)
            y[o] += x[i] * w[(size_t)i * outputs + o];
    }
}

/* The front end. */

typedef struct {
    int32_t window, hop, mels, stages;
    int32_t radix[12]; /* of the FFT's stages; their product is window / 2 */
} Front;

/* Stockham's FFT with stages of any radix. Each stage reads sums of `radix` inputs with one
   coefficient each, the stage's twiddle factors times those of a small DFT. Numbers are complex,
   [points][re, im][LANES]. Returns the buffer that holds the result. */
INLINE Lanes *fft(const Front *f, const float *coefficients, Lanes *from, Lanes *to)
{
    int length = f->window / 2, stride = 1;
    for (int stage = 0; stage < f->stages; stage++) {
        int radix = f->radix[stage], rest = length / radix;
        for (int p = 0; p < rest; p++)
            for (int k = 0; k < radix; k++) {
                for (int q = 0; q < stride; q++) {
                    Lanes re = {0}, im = {0};
                    for (int j = 0; j < radix; j++) {
                        const Lanes *x = from + (size_t)(q + stride * (p + rest * j)) * 2;
                        re += x[0] * coefficients[2 * j] - x[1] * coefficients[2 * j + 1];
                        im += x[0] * coefficients[2 * j + 1] + x[1] * coefficients[2 * j];
                    }
                    Lanes *y = to + (size_t)(q + stride * (radix * p + k)) * 2;
                    y[0] = re;
                    y[1] = im;
                }
                coefficients += 2 * radix;
            }
        length = rest;
        stride *= radix;
        Lanes *swap = from;
        from = to, to = swap;
    }
    return from;
}

/* Power spectra of a real signal from the FFT of its even and odd samples, [bins][LANES]. */
INLINE void powers(int points, const float *twiddle, const Lanes *z, Lanes *power)
{
    for (int k = 0; k <= points; k++) {
        const Lanes *a = z + (size_t)(k % points) * 2, *b = z + (size_t)((points - k) % points) * 2;
        float c = twiddle[2 * k], s = twiddle[2 * k + 1];
        Lanes odd_re = a[1] + b[1], odd_im = b[0] - a[0];
        Lanes re = a[0] + b[0] + c * odd_re - s * odd_im;
        Lanes im = a[1] - b[1] + c * odd_im + s * odd_re;
        power[k] = 0.25f * (re * re + im * im);
    }
}

/* `tables` holds the window [window], floor and ceiling, the coefficients of every stage, the
   twiddle factors [bins, 2] and the filters: for each mel its first bin, its last and a weight for
   each bin [mels, 2 + bins]. `room` is [3 * window * LANES + LANES]. `held` samples of `tail` come
   before `pcm`; what no frame needs any more goes. Returns how many frames were made. */
static int log_mel(const Front *f, const float *tables, float *room, int16_t *tail, int32_t *held,
                   const int16_t *pcm, int samples, float *frames)
{
    int window = f->window, hop = f->hop, points = window / 2, bins = points + 1, before = *held;
    int heard = before + samples, count = heard < window ? 0 : (heard - window) / hop + 1;
    const float *coefficients = tables + window + 2, *twiddle = coefficients;
    for (int stage = 0, length = points; stage < f->stages; length /= f->radix[stage++])
        twiddle += (size_t)length * f->radix[stage] * 2;
    const float *filters = twiddle + 2 * bins;
    float floor = tables[window], ceiling = tables[window + 1];
    for (int first = 0; first < count; first += LANES) {
        int lanes = count - first < LANES ? count - first : LANES;
        float *signal = room, *other = signal + (size_t)window * LANES;
        Lanes *power = (Lanes *)(other + (size_t)window * LANES);
        for (int lane = 0; lane < LANES; lane++) { /* idle lanes repeat the last frame */
            int start = (first + (lane < lanes ? lane : lanes - 1)) * hop;
            int old = before - start < 0 ? 0 : before - start < window ? before - start : window;
            for (int n = 0; n < old; n++)
                signal[n * LANES + lane] = (float)tail[start + n] * tables[n];
            const int16_t *fresh = pcm + (start + old - before);
            for (int n = old; n < window; n++)
                signal[n * LANES + lane] = (float)fresh[n - old] * tables[n];
        }
        Lanes *spectra = fft(f, coefficients, (Lanes *)signal, (Lanes *)other);
        powers(points, twiddle, spectra, power);
        for (int mel = 0; mel < f->mels; mel++) {
            const float *filter = filters + (size_t)mel * (2 + bins);
            Lanes sum = {0};
            for (int bin = (int)filter[0]; bin < (int)filter[1]; bin++)
                sum += filter[2 + bin] * power[bin];
            float logs[LANES];
            for (int lane = 0; lane < LANES; lane++) {
                logs[lane] = sum[lane] > floor ? sum[lane] : floor;
                logs[lane] = logarithm(logs[lane] < ceiling ? logs[lane] : ceiling);
            }
            for (int lane = 0; lane < lanes; lane++)
                frames[(size_t)(first + lane) * f->mels + mel] = logs[lane];
        }
    }
    int gone = count * hop, kept = heard - gone; /* fewer than a window */
    int old = gone < before ? before - gone : 0;
    memmove(tail, tail + (before - old), (size_t)old * sizeof *tail);
    if (kept > old)
        memcpy(tail + old, pcm + (gone + old - before), (size_t)(kept - old) * sizeof *tail);
    *held = kept;
    return count;
}

/* The network. */

typedef struct {
    int32_t words, mels, bands, channels, kernel_mels, kernel_frames, stride_mels, stride_frames;
    int32_t hidden, layers, attention, steps;
} Shape;

/* How many numbers: of what a word's layers multiply, and of what a step computes on the way. */
INLINE int line_length(const Shape *a)
{
    return a->bands * a->channels + 1 + a->layers * (a->hidden + 1);
}
INLINE int room_length(const Shape *a)
{
    int patch = a->kernel_mels * a->kernel_frames + a->words * a->channels;
    int layer = 4 * a->hidden > a->attention + 1 ? 4 * a->hidden : a->attention + 1;
    return patch > layer ? patch : layer;
}
INLINE size_t state_length(const Shape *a)
{
    return (size_t)a->kernel_frames * a->mels + (size_t)a->words * line_length(a)
           + (size_t)a->words * a->steps * 2 + room_length(a);
}

INLINE size_t weights_length(const Shape *a)
{
    size_t inputs = (size_t)a->bands * a->channels, h = a->hidden;
    size_t gru = (inputs + 1 + h) * 4 * h + (a->layers - 1) * (2 * h + 1) * 4 * h;
    size_t kernel = (size_t)a->kernel_mels * a->kernel_frames * a->channels;
    return (size_t)a->words * (kernel + gru + (h + 1) * ((size_t)a->attention + 1) + a->attention);
}

INLINE void convolve(const Shape *a, const float *kernel, const float *frames, float *lines,
                     float *room)
{
    int taps = a->kernel_mels * a->kernel_frames, columns = a->words * a->channels;
    float *maps = room + taps;
    for (int band = 0; band < a->bands; band++) {
        for (int mel = 0; mel < a->kernel_mels; mel++)
            for (int frame = 0; frame < a->kernel_frames; frame++)
                room[mel * a->kernel_frames + frame]
                    = frames[frame * a->mels + band * a->stride_mels + mel];
        multiply(room, kernel, maps, taps, columns);
        for (int word = 0; word < a->words; word++)
            memcpy(lines + (size_t)word * line_length(a) + (size_t)band * a->channels,
                   maps + (size_t)word * a->channels, (size_t)a->channels * sizeof *maps);
    }
}

INLINE void gru(int size, int inputs, const float *weights, const float *input, float *hidden,
                float *room)
{
    multiply(input, weights, room, inputs, 4 * size);
    const float *reset = room, *update = reset + size;
    const float *input_part = update + size, *recurrent = input_part + size;
    for (int unit = 0; unit < size; unit++) {
        float r = hyperbolic_tangent(reset[unit]), u = hyperbolic_tangent(update[unit]);
        float candidate = hyperbolic_tangent(input_part[unit] + recurrent[unit] * r);
        hidden[unit] = (hidden[unit] - candidate) * ((u + 1.0f) * 0.5f) + candidate;
    }
}

INLINE float attend(const Shape *a, const float *inner, const float *outer, const float *hidden,
                    float *window, int newest, float *room)
{
    multiply(hidden, inner, room, a->hidden + 1, a->attention + 1);
    float energy = 0, weight = 0, margin = 0;
    for (int unit = 0; unit < a->attention; unit++)
        room[unit] = hyperbolic_tangent(room[unit]) * outer[unit];
    for (int unit = 0; unit < a->attention; unit++)
        energy += room[unit];
    window[2 * newest] = exponential(energy);
    window[2 * newest + 1] = window[2 * newest] * room[a->attention];
    for (int step = 0; step < a->steps; step++) {
        weight += window[2 * step];
        margin += window[2 * step + 1];
    }
    return (hyperbolic_tangent(margin / weight) + 1.0f) * 0.5f;
}

/* `state` holds frames [kernel_frames, mels], each word's line (what the layers multiply: columns,
   1, hidden state, 1, hidden state, 1), each word's window [steps, 2], and room. `counts` are the
   frames that are held and where in the window the newest step lies. Returns how many steps were
   made; their probabilities are [steps, words]. */
static int steps(const Shape *a, const float *weights, float *state, int32_t *counts,
                 const float *frames, int count, float *probabilities)
{
    int line = line_length(a), inputs = a->bands * a->channels, h = a->hidden, made = 0;
    float *held = state, *lines = held + (size_t)a->kernel_frames * a->mels;
    float *windows = lines + (size_t)a->words * line;
    float *room = windows + (size_t)a->words * a->steps * 2;
    for (int frame = 0; frame < count; frame++) {
        memcpy(held + (size_t)counts[0] * a->mels, frames + (size_t)frame * a->mels,
               (size_t)a->mels * sizeof *held);
        if (++counts[0] < a->kernel_frames)
            continue;
        const float *w = weights; /* the kernel, and for each word its layers, inner and outer */
        convolve(a, w, held, lines, room);
        w += (size_t)a->kernel_mels * a->kernel_frames * a->words * a->channels;
        counts[1] = (counts[1] + 1) % a->steps;
        for (int word = 0; word < a->words; word++) {
            float *input = lines + (size_t)word * line, *hidden = input + inputs + 1;
            for (int layer = 0; layer < a->layers; layer++, hidden += h + 1) {
                int length = (int)(hidden - input) + h;
                gru(h, length, w, input, hidden, room);
                w += (size_t)length * 4 * h;
                input = hidden;
            }
            const float *outer = w + (size_t)(h + 1) * (a->attention + 1);
            probabilities[(size_t)made * a->words + word]
                = attend(a, w, outer, input, windows + (size_t)word * a->steps * 2, counts[1],
                         room);
            w = outer + a->attention;
        }
        made++;
        counts[0] -= a->stride_frames;
        memmove(held, held + (size_t)a->stride_frames * a->mels,
                (size_t)counts[0] * a->mels * sizeof *held);
    }
    return made;
}

/* What Python calls. Lengths are checked here, so that no wrong array is read past its end. */

static void release(Py_buffer *views, int count)
{
    while (count--)
        PyBuffer_Release(views + count);
}

static PyObject *refuse(Py_buffer *views, int count)
{
    release(views, count);
    PyErr_SetString(PyExc_ValueError, "an array does not have the length that the step needs");
    return NULL;
}

static int borrow(PyObject *args, Py_buffer *views, int count, unsigned writable)
{
    if (PyTuple_Size(args) != count) {
        PyErr_SetString(PyExc_TypeError, "wrong number of arrays");
        return 0;
    }
    for (int i = 0; i < count; i++)
        if (PyObject_GetBuffer(PyTuple_GetItem(args, i), views + i,
                               writable >> i & 1 ? PyBUF_WRITABLE : PyBUF_SIMPLE)) {
            release(views, i);
            return 0;
        }
    return 1;
}

static PyObject *py_log_mel(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer v[7]; /* front, tables, room, tail, held, pcm, frames */
    if (!borrow(args, v, 7, 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6))
        return NULL;
    const Front *f = v[0].len == sizeof *f && v[4].len == 4 ? v[0].buf : NULL;
    if (!f)
        return refuse(v, 7);
    Py_ssize_t bins = f->window / 2 + 1, floats = f->window + 2 + 2 * bins + (2 + bins) * f->mels;
    Py_ssize_t samples = v[5].len / 2, held = *(int32_t *)v[4].buf, length = f->window / 2;
    if (f->window < 2 || f->window % 2 || f->hop < 1 || f->hop > f->window || f->mels < 1
        || f->stages < 0 || f->stages > 12 || held < 0 || held >= f->window || samples > 1 << 20)
        return refuse(v, 7);
    for (int stage = 0; stage < f->stages; length /= f->radix[stage++]) {
        if (f->radix[stage] < 2 || length % f->radix[stage])
            return refuse(v, 7);
        floats += length * f->radix[stage] * 2;
    }
    Py_ssize_t count = held + samples < f->window ? 0 : (held + samples - f->window) / f->hop + 1;
    if (length != 1 || v[1].len != 4 * floats || v[2].len < 4 * (3 * f->window + 1) * LANES
        || v[3].len < 2 * f->window || v[6].len < 4 * count * f->mels)
        return refuse(v, 7);
    int made; /* without the GIL: the arrays are one stream's, and a stream is one thread's */
    Py_BEGIN_ALLOW_THREADS
    made = log_mel(f, v[1].buf, v[2].buf, v[3].buf, v[4].buf, v[5].buf, (int)samples, v[6].buf);
    Py_END_ALLOW_THREADS
    release(v, 7);
    return PyLong_FromLong(made);
}

static PyObject *py_steps(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer v[6]; /* shape, weights, state, counts, frames, probabilities */
    if (!borrow(args, v, 6, 1 << 2 | 1 << 3 | 1 << 5))
        return NULL;
    const Shape *a = v[0].buf;
    const int32_t *counts = v[3].buf;
    for (size_t i = 0; i < sizeof *a / 4; i++)
        if (v[0].len != sizeof *a || v[3].len != 8 || ((const int32_t *)a)[i] < 1
            || ((const int32_t *)a)[i] > 1 << 10)
            return refuse(v, 6);
    Py_ssize_t count = v[4].len / 4 / a->mels;
    if ((a->bands - 1) * a->stride_mels + a->kernel_mels > a->mels
        || a->stride_frames > a->kernel_frames || v[1].len != (Py_ssize_t)(4 * weights_length(a))
        || v[2].len != (Py_ssize_t)(4 * state_length(a))
        || counts[0] < 0 || counts[0] >= a->kernel_frames || counts[1] < 0 || counts[1] >= a->steps
        || v[5].len < 4 * (count / a->stride_frames + 1) * a->words)
        return refuse(v, 6);
    int made;
    Py_BEGIN_ALLOW_THREADS
    made = steps(a, v[1].buf, v[2].buf, v[3].buf, v[4].buf, (int)count, v[5].buf);
    Py_END_ALLOW_THREADS
    release(v, 6);
    return PyLong_FromLong(made);
}

static PyMethodDef methods[] = {
    {"log_mel", py_log_mel, METH_VARARGS, "Make the log-mel frames that samples complete."},
    {"steps", py_steps, METH_VARARGS, "Make the steps that log-mel frames complete."},
    {0}};
static struct PyModuleDef definition = {.m_name = "_step", .m_size = 0, .m_methods = methods};

PyMODINIT_FUNC PyInit__step(void)
{
    PyObject *module = PyModule_Create(&definition);
    return module && PyModule_AddIntConstant(module, "INTERFACE", INTERFACE) ? NULL : module;
}
