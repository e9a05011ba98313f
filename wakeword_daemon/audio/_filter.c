/* A polyphase filter: one channel of a stream to another sample rate, in C.

   A call after a sleep finds the caches cold, and so costs by the memory that it touches: this is one
   pass from the device's samples to those at 16 kHz. `resample` makes the table, and uses soxr where
   there was no compiler. On the limited API, so that one file serves every version from 3.11 on. */

#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 16
#define CHUNK 4096 /* input samples that are worked off together */

typedef struct {
    PyObject_HEAD
    float *table, *samples; /* [phases, taps]; the last samples, [taps + CHUNK] */
    Py_ssize_t phases, taps, step, held;
    Py_ssize_t next; /* of the next output, in input samples times `phases` from the first held one */
} Filter;

#if defined(__x86_64__) && defined(__gnu_linux__)
__attribute__((target_clones("arch=haswell", "default")))
#endif
static Py_ssize_t make(Filter *f, int16_t *out)
{
    int16_t *begin = out;
    for (; f->next / f->phases + f->taps <= f->held; f->next += f->step) {
        const float *x = f->samples + f->next / f->phases;
        const float *weights = f->table + f->next % f->phases * f->taps;
        float sums[LANES] = {0}, sum = 32768.5f; /* so that cutting the fraction off rounds */
        for (Py_ssize_t tap = 0; tap < f->taps; tap += LANES)
            for (int lane = 0; lane < LANES; lane++)
                sums[lane] += x[tap + lane] * weights[tap + lane];
        for (int lane = 0; lane < LANES; lane++)
            sum += sums[lane];
        *out++ = (int16_t)((sum < 0 ? 0 : sum > 65535 ? 65535 : (int)sum) - 32768);
    }
    Py_ssize_t used = f->next / f->phases;
    used = used < f->held ? used : f->held;
    memmove(f->samples, f->samples + used, (size_t)(f->held - used) * sizeof *f->samples);
    f->held -= used;
    f->next -= used * f->phases;
    return out - begin;
}

/* push(pcm, channels, channel): contiguous int16 frames to the bytes of int16 samples. */
static PyObject *push(PyObject *self, PyObject *args)
{
    Filter *f = (Filter *)self;
    Py_buffer view;
    Py_ssize_t channels, channel;
    if (!PyArg_ParseTuple(args, "y*nn", &view, &channels, &channel))
        return NULL;
    Py_ssize_t frames = channels > 0 ? view.len / 2 / channels : 0, most, made = 0;
    const int16_t *pcm = (const int16_t *)view.buf + channel;
    most = ((f->held + frames) * f->phases + f->step - 1) / f->step + 1;
    int16_t *out = channel >= 0 && channel < channels ? malloc((size_t)most * sizeof *out) : NULL;
    while (out && frames) {
        Py_ssize_t count = frames < CHUNK ? frames : CHUNK;
        for (Py_ssize_t i = 0; i < count; i++, pcm += channels)
            f->samples[f->held + i] = *pcm;
        f->held += count;
        frames -= count;
        made += make(f, out + made);
    }
    PyBuffer_Release(&view);
    PyObject *bytes = out ? PyBytes_FromStringAndSize((char *)out, made * 2)
                          : (PyErr_SetString(PyExc_ValueError, "no such channel"), NULL);
    free(out);
    return bytes;
}

/* Filter(table, phases, step): each output lies `step` / `phases` input samples after the last. */
static PyObject *create(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(keywords))
{
    Py_buffer table;
    Py_ssize_t phases, step, length;
    if (!PyArg_ParseTuple(args, "y*nn", &table, &phases, &step))
        return NULL;
    length = table.len / (Py_ssize_t)sizeof(float);
    Filter *f = NULL;
    if (phases < 1 || step < 1 || length < 1 || length % (phases * LANES))
        PyErr_SetString(PyExc_ValueError, "this is not a table of so many phases");
    else if ((f = (Filter *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0))) {
        f->phases = phases, f->step = step, f->taps = length / phases;
        f->table = malloc((size_t)table.len);
        f->samples = calloc((size_t)(f->taps + CHUNK), sizeof *f->samples);
        f->held = f->taps / 2 - 1; /* zeros, so that the first output lies on the first sample */
        if (f->table && f->samples)
            memcpy(f->table, table.buf, (size_t)table.len);
        else {
            Py_CLEAR(f);
            PyErr_NoMemory();
        }
    }
    PyBuffer_Release(&table);
    return (PyObject *)f;
}

static void destroy(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    free(((Filter *)self)->table);
    free(((Filter *)self)->samples);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"push", push, METH_VARARGS, "Return the bytes of the samples that are complete with `pcm`."},
    {0}};
static PyType_Slot slots[] = {{Py_tp_doc, "A stream through a polyphase filter."},
                              {Py_tp_new, create},
                              {Py_tp_dealloc, destroy},
                              {Py_tp_methods, methods},
                              {0}};
static PyType_Spec filter = {"wakeword_daemon.audio._filter.Filter", sizeof(Filter), 0,
                             Py_TPFLAGS_DEFAULT, slots};
static struct PyModuleDef definition = {.m_name = "_filter", .m_size = 0};

PyMODINIT_FUNC PyInit__filter(void)
{
    PyObject *module = PyModule_Create(&definition), *type = PyType_FromSpec(&filter);
    if (!module || !type || PyModule_AddObject(module, "Filter", type))
        return NULL;
    return module;
}
