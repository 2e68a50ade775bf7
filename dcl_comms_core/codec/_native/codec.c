/* The native codec: one translation unit, so that small functions end up in their callers.  See codec.h. */
#include "codec.h"

#include "wire.c"
#include "text.c"
#include "enums.c"
#include "encode.c"
#include "decode.c"
#include "read.c"
#include "columns.c"
#include "construct.c"
#include "registry.c"

#ifndef SOURCE_HASH
#error "build it with build.py, which names the sources that it is made of"
#endif

static const Field *position_member, *movement_member, *chat_member;

static PyObject *encode_position(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    return encode_arguments(F_POSITION, position_member, self, args, nargs, kwnames);
}

static PyObject *encode_movement(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    return encode_arguments(F_MOVEMENT, movement_member, self, args, nargs, kwnames);
}

static PyObject *encode_chat(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    return encode_arguments(F_CHAT, chat_member, self, args, nargs, kwnames);
}

#define FAST(function) (PyCFunction)(void (*)(void)) function, METH_FASTCALL | METH_KEYWORDS

/* In the order of F_...; documented by the twin. */
static PyMethodDef methods[] = {
    {"encode", FAST(encode), "encode(message)\n--\n\nA message of ours on the wire.  Raises EncodeError."},
    {"decode", FAST(decode), "decode(data, *, limits=...)\n--\n\nOne rfc4 Packet.  Raises DecodeError."},
    {"decode_kind", FAST(decode_kind),
     "decode_kind(data, *, limits=...)\n--\n\n(kind_of(packet), packet).  Raises DecodeError."},
    {"decode_message", FAST(decode_message),
     "decode_message(cls, data, *, limits=...)\n--\n\nA message of any class of ours.  Raises DecodeError."},
    {"peek", FAST(peek), "peek(data, *, limits=...)\n--\n\nKind and protocol_version.  Raises DecodeError."},
    {"kind_of", FAST(kind_of), "kind_of(packet)\n--\n\nThe name of the member that is set, or None."},
    {"encode_position", FAST(encode_position),
     "encode_position(*fields, **more)\n--\n\nThe bytes of Packet(position=Position(...), ...).  Raises EncodeError."},
    {"encode_movement", FAST(encode_movement),
     "encode_movement(*fields, **more)\n--\n\nThe bytes of Packet(movement=Movement(...), ...).  Raises EncodeError."},
    {"encode_chat", FAST(encode_chat),
     "encode_chat(*fields, **more)\n--\n\nThe bytes of Packet(chat=Chat(...), ...).  Raises EncodeError."},
    {"fill", fill, METH_VARARGS, "Rows of a structured array from packets; see columns.py."},
    {NULL, NULL, 0, NULL},
};

/* The functions whose calls ``redirect(True)`` sends to the twin: what is public. */
static PyObject *public_functions(void)
{
    PyObject *functions = PyDict_New(), *name = PyUnicode_FromString("dcl_comms_core.codec");
    for (int i = 0; functions != NULL && name != NULL && i < FUNCTIONS; i++) {
        PyObject *function = PyCFunction_NewEx(&methods[i], S.switchable, name);
        if (function == NULL || PyDict_SetItemString(functions, methods[i].ml_name, function) < 0)
            Py_CLEAR(functions);
        Py_XDECREF(function);
    }
    Py_XDECREF(name);
    return functions;
}

static int build_state(PyObject *tables, PyObject *orders, PyObject *packet, PyObject *twin)
{
    static const char *const attributes[] = {"packet_bytes", "unknown_bytes", "nesting"};
    for (int i = 0; i < 3; i++)
        if ((S.names[i] = PyUnicode_InternFromString(attributes[i])) == NULL)
            return -1;
    S.underscore_value = PyUnicode_InternFromString("_value_");
    S.underscore_name = PyUnicode_InternFromString("_name_");
    S.empty = PyUnicode_New(0, 0);
    S.switchable = PyUnicode_InternFromString("switchable");
    if (S.underscore_value == NULL || S.underscore_name == NULL || S.empty == NULL || S.switchable == NULL ||
        build_plans(tables, orders) < 0)
        return -1;
    for (int i = 0; i < FUNCTIONS; i++)
        if ((S.twin[i] = Py_XNewRef(PyDict_GetItemString(twin, methods[i].ml_name))) == NULL)
            return mismatch("a function is missing", twin);
    Plan *found = plan_by_class(packet);
    if (found == NULL || !read_limits(S.limits, &S.usual))
        return found == NULL ? -1 : mismatch("not the usual limits", S.limits);
    for (int i = 0; i < found->count; i++)
        if (PyUnicode_CompareWithASCIIString(found->fields[i].name, "protocol_version") == 0)
            S.version = &found->fields[i];
    if (S.version == NULL || S.version->kind != K_UINT32 || S.version->presence != P_IMPLICIT)
        return mismatch("Packet has no protocol_version", packet);
    S.packet = found;
    if (build_peeks() < 0 || (position_member = member_named("position")) == NULL ||
        (movement_member = member_named("movement")) == NULL || (chat_member = member_named("chat")) == NULL)
        return -1;
    return 0;
}

/* register(tables, constructor orders, Packet, Peek, DecodeError, DEFAULT_LIMITS, twin's functions by name)
 *
 * Gives the public functions.  ValueError: something about the classes is not as expected, and the twin must be used.
 * What an earlier registration built is left as it is: its objects may be in use. */
static PyObject *register_classes(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *tables, *orders, *packet, *peek_type, *decode_error, *limits, *twin;
    if (!PyArg_ParseTuple(args, "O!O!OOOOO!:register", &PyTuple_Type, &tables, &PyTuple_Type, &orders, &packet,
                          &peek_type, &decode_error, &limits, &PyDict_Type, &twin))
        return NULL;
    State before = S;
    S = (State){.peek_type = Py_NewRef(peek_type), .decode_error = Py_NewRef(decode_error), .limits = Py_NewRef(limits)};
    PyObject *functions = build_state(tables, orders, packet, twin) < 0 ? NULL : public_functions();
    if (functions == NULL) {
        S = before;
        return NULL;
    }
#if PY_VERSION_HEX >= 0x030C0000
    for (Py_ssize_t i = 0; i < S.plan_count; i++)
        S.plans[i].cls->tp_vectorcall = construct;
#endif
    return functions;
}

static PyObject *redirect(PyObject *Py_UNUSED(self), PyObject *to_twin)
{
    int yes = PyObject_IsTrue(to_twin);
    if (yes < 0)
        return NULL;
    S.delegate = yes;
    Py_RETURN_NONE;
}

static PyMethodDef more_methods[] = {
    {"register", register_classes, METH_VARARGS, "Build plans for the message classes; gives the public functions."},
    {"redirect", redirect, METH_O, "Send calls of the public functions to the Python codec, or no longer."},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "dcl_comms_core's native codec works in the main interpreter only; "
                                           "the Python codec works in all of them");
        return -1;
    }
    return PyModule_AddFunctions(module, more_methods) < 0 ||
                   PyModule_AddStringConstant(module, "SOURCE_HASH", SOURCE_HASH) < 0
               ? -1
               : 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_USED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_speedups", .m_doc = "The native codec of dcl_comms_core.", .m_size = 0,
    .m_methods = methods, .m_slots = slots,
};

PyMODINIT_FUNC PyInit__speedups(void)
{
    return PyModuleDef_Init(&definition);
}
