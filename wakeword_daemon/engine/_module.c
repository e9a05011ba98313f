/* The Python module of the step in C: a stream through the networks of a plan.

   On the limited API, so that one file serves every version from 3.11 on. */

#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>

#include "_step.h"

#define INTERFACE 4 /* as in native.py; raised when the plan or a method changes */

static HearSamples *hear_samples = hear_samples_plain;
static HearFrames *hear_frames = hear_frames_plain;
/* Whether the processor converts halves, so that they save time. */
#ifdef __aarch64__
static int halves = 1;
#else
static int halves;
#endif

typedef struct {
    PyObject_HEAD
    Stream stream;
    Py_buffer plan;
    float *memory; /* of the stream: everything that changes */
    size_t floats;
    int busy;
} StreamObject;

static PyObject *reset(PyObject *self, PyObject *Py_UNUSED(none))
{
    StreamObject *one = (StreamObject *)self;
    Stream *s = &one->stream;
    s->held_samples = s->held_frames = 0;
    s->frames = s->made = 0;
    memset(one->memory, 0, one->floats * sizeof *one->memory);
    Py_RETURN_NONE;
}

/* Make a stream of a plan, to which it keeps a reference. */
static PyObject *begin(PyTypeObject *type, PyObject *plan)
{
    StreamObject *self = (StreamObject *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    size_t parts[5];
    if (!self)
        return NULL;
    if (PyObject_GetBuffer(plan, &self->plan, PyBUF_SIMPLE)) {
        Py_DECREF(self);
        return NULL;
    }
    size_t length = (size_t)self->plan.len / 4;
    if (!length || lay_out(&self->stream, self->plan.buf, length, parts) != length) {
        PyErr_SetString(PyExc_ValueError, "this is not a plan of the step in C");
        Py_DECREF(self);
        return NULL;
    }
    self->floats = parts[0] + parts[1] + parts[2] + parts[3] + parts[4];
    self->memory = aligned_alloc(64, self->floats * sizeof *self->memory);
    if (!self->memory) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    self->stream.samples = (int16_t *)self->memory;
    self->stream.history = self->memory + parts[0];
    self->stream.words = self->stream.history + parts[1];
    self->stream.room = self->stream.words + parts[2];
    self->stream.outputs = self->stream.room + parts[3];
    Py_DECREF(reset((PyObject *)self, NULL));
    return (PyObject *)self;
}

static PyObject *create(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(keywords))
{
    PyObject *plan;
    return PyArg_ParseTuple(args, "O", &plan) ? begin(type, plan) : NULL;
}

static PyObject *fresh(PyObject *self, PyObject *Py_UNUSED(none))
{
    return begin(Py_TYPE(self), ((StreamObject *)self)->plan.obj);
}

static void destroy(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    free(((StreamObject *)self)->memory);
    PyBuffer_Release(&((StreamObject *)self)->plan);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

/* Append (the frame that completed the newest step, its energy, [each word's outputs]). */
static int append(PyObject *made, const Stream *s)
{
    Py_ssize_t count = 0, filled = 0;
    for (int word = 0; word < s->front->words; word++)
        count += s->shapes[word].outputs;
    PyObject *row = PyList_New(count);
    const float *output = s->outputs;
    for (int word = 0; word < s->front->words; word++) {
        int own = s->shapes[word].outputs;
        for (int n = 0; row && n < own; n++) {
            PyObject *number = PyFloat_FromDouble((double)output[n]);
            if (!number || PyList_SetItem(row, filled++, number))
                Py_CLEAR(row);
        }
        output += own > 1 ? ROUND_UP(own, TILE) : 1;
    }
    PyObject *step = row ? Py_BuildValue("(LLN)", (long long)s->frames - 1, (long long)s->energy, row) : NULL;
    int failed = !step || PyList_Append(made, step);
    Py_XDECREF(step);
    return !failed;
}

/* Runs without the GIL, which is taken only to append the result of each step. */
static PyObject *hear(PyObject *self, PyObject *given, int frames)
{
    StreamObject *one = (StreamObject *)self;
    Stream *s = &one->stream;
    Py_buffer view;
    if (one->busy) {
        PyErr_SetString(PyExc_RuntimeError, "another thread is using this stream");
        return NULL;
    }
    if (PyObject_GetBuffer(given, &view, PyBUF_ND | PyBUF_FORMAT))
        return NULL;
    const char *format = view.format + (view.format[0] == '='); /* native, if not aligned */
    if (view.ndim != (frames ? 2 : 1) || strcmp(format, frames ? "f" : "h")
        || (frames && view.shape[1] != s->front->mels)) {
        PyBuffer_Release(&view);
        PyErr_SetString(PyExc_TypeError, frames ? "frames must be float32, [frames, mels]"
                                                : "samples must be int16, [samples]");
        return NULL;
    }
    size_t each = frames ? 4 * (size_t)s->front->mels : 2, count = (size_t)view.len / each;
    const char *buffer = view.buf;
    PyObject *made = PyList_New(0);
    one->busy = 1;
    for (size_t used; made && count; buffer += used * each, count -= used) {
        int stepped;
        Py_BEGIN_ALLOW_THREADS
        stepped = frames ? hear_frames(s, buffer, count, &used)
                         : hear_samples(s, buffer, count, &used);
        Py_END_ALLOW_THREADS
        if (stepped && !append(made, s))
            Py_CLEAR(made);
    }
    one->busy = 0;
    PyBuffer_Release(&view);
    return made;
}

static PyObject *py_samples(PyObject *self, PyObject *pcm) { return hear(self, pcm, 0); }

static PyObject *py_frames(PyObject *self, PyObject *frames) { return hear(self, frames, 1); }

static PyMethodDef methods[] = {
    {"hear", py_samples, METH_O, "Process int16 samples; return the steps that they complete."},
    {"hear_frames", py_frames, METH_O, "The same with log-mel frames, float32 [frames, mels]."},
    {"reset", reset, METH_NOARGS, "Forget everything."},
    {"fresh", fresh, METH_NOARGS, "Return a new stream of the plan."},
    {0}};
static PyType_Slot slots[] = {
    {Py_tp_doc, "A stream through the networks of a plan, as plan.py packs it."},
    {Py_tp_new, create},
    {Py_tp_dealloc, destroy},
    {Py_tp_methods, methods},
    {0}};
static PyType_Spec stream = {"wakeword_daemon.engine._step.Stream", sizeof(StreamObject), 0,
                             Py_TPFLAGS_DEFAULT, slots};
static struct PyModuleDef definition = {.m_name = "_step", .m_size = 0};

PyMODINIT_FUNC PyInit__step(void)
{
#ifdef WITH_AVX2
    if (has_avx2())
        hear_samples = hear_samples_avx2, hear_frames = hear_frames_avx2, halves = 1;
#endif
    PyObject *module = PyModule_Create(&definition), *type = PyType_FromSpec(&stream);
    if (!module || !type || PyModule_AddObject(module, "Stream", type)
        || PyModule_AddIntConstant(module, "INTERFACE", INTERFACE)
        || PyModule_AddObject(module, "HALVES", PyBool_FromLong(halves)))
        return NULL;
    return module;
}
