/* The extension module demo._greeting, for CPython's stable ABI of 3.9. */
#define Py_LIMITED_API 0x03090000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include "greet.h"
#include <stdlib.h>

static PyObject *greeting(PyObject *module, PyObject *arg) {
    (void)module;
    PyObject *bytes = PyUnicode_AsUTF8String(arg);
    if (bytes == NULL)
        return NULL;
    const char *name = PyBytes_AsString(bytes);
    size_t size = greet(NULL, 0, name) + 1;
    char *text = malloc(size);
    PyObject *result = NULL;
    if (text == NULL) {
        PyErr_NoMemory();
    } else {
        greet(text, size, name);
        result = PyUnicode_FromString(text);
        free(text);
    }
    Py_DecRef(bytes);
    return result;
}

static PyMethodDef methods[] = {
    {"greet", greeting, METH_O, "greet(name): a greeting in a frame."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_greeting", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__greeting(void) {
    return PyModule_Create(&module);
}
