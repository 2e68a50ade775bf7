/* The native codec: what its parts share.
 *
 * The message classes keep their fields in slots.  A Plan knows, for one class, at which offset each slot is; decoding
 * stores pointers there, encoding loads them.  Everything is built at registration from the same tables as the Python
 * codec (the twin), which is the reference: whatever is unusual (a subclass, a foreign number type, a refusal to
 * explain) goes to the twin, so that results and errors are the same by construction.
 *
 * Everything runs under the GIL, and in the main interpreter only.
 */
#ifndef DCL_CODEC_H
#define DCL_CODEC_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#if PY_VERSION_HEX < 0x030C0000
#include <structmember.h>
#define Py_T_OBJECT_EX T_OBJECT_EX
#endif

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if PY_BIG_ENDIAN
#error "the native codec copies numbers as they are on the wire, which is little-endian"
#endif

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef enum {
    K_BOOL, K_BYTES, K_DOUBLE, K_ENUM, K_FLOAT, K_INT32, K_INT64, K_MAP, K_MESSAGE, K_SINT32, K_STRING, K_UINT32,
    K_UINT64
} Kind;

typedef enum { P_IMPLICIT, P_EXPLICIT, P_ONEOF, P_REPEATED, P_MAP } Presence;

/* Members of an enum, by number; ``direct`` says that an unknown one may be made here (see enums.c). */
enum { MEMBERS = 64 };
typedef struct {
    PyTypeObject *type;
    PyObject *members[MEMBERS];
    bool direct;
} Enum;

typedef struct Plan Plan;

typedef struct {
    PyObject *name;
    PyObject *absent; /* the very object that the constructor stores; NULL where it makes a new list or dict */
    Plan *message;    /* of a message, or of a map's values */
    Enum *enumeration;
    Py_ssize_t offset;
    uint32_t tag;
    uint8_t kind, presence;
    uint8_t key, value; /* of a map */
    uint8_t tag_size;
    uint8_t tag_bytes[5];
} Field;

enum { TAGS = 256, NAMES = 128, DISTINCT = 8 };

struct Plan {
    PyTypeObject *cls;
    Field *fields; /* in order of number */
    uint8_t count;
    uint8_t by_tag[TAGS]; /* tag -> index of its field plus one */
    /* The slots are one block of the object, and ``defaults`` is how it looks in an empty message. */
    Py_ssize_t block, block_size, unknown;
    PyObject **defaults;
    struct { PyObject *object; Py_ssize_t times; } shared[DISTINCT];
    uint8_t shared_count;
    uint8_t containers; /* fields with a list or a dict of their own */
    uint8_t members;    /* of its oneof */
    /* Fields whose size is not bounded by their type, those of the oneof first. */
    uint8_t *dynamic, dynamic_count;
    Py_ssize_t static_bound; /* bytes that all numbers together can take */
    uint8_t *arguments;      /* the constructor's order -> index of the field */
    uint8_t *places;         /* the other way round */
    uint8_t by_name[NAMES];  /* hash of a name's address -> index of the field plus one */
};

/* --- one call of a decoder */

typedef enum {
    NO_REASON, ENDS_IN_NUMBER, LONG_NUMBER, LONG_TAG, LONG_SIZE, NUMBER_ZERO, NO_SUCH_GROUP, WIRE_TYPE, ENDS_IN_GROUP,
    TOO_DEEP, NOT_UTF8, TOO_LARGE, TOO_MUCH_UNKNOWN
} Reason;

/* What must be put right when all bytes are read: unknown fields in runs, or an enum number without a name.  Until
 * then the slot holds an int: the index of the record, or the number.  Neither is believed: see changed(). */
typedef struct {
    PyObject *message; /* owned; NULL when done early */
    Plan *plan;
    Field *field;         /* of the enum; NULL for unknown fields */
    const uint8_t *input; /* the only run so far, in the input; else ``buffer`` */
    uint8_t *buffer;
    Py_ssize_t size, room;
} Later;

typedef struct {
    Py_ssize_t packet_bytes, unknown_bytes, nesting;
} Bounds;

enum { SPARES = 16 };

typedef struct {
    const uint8_t *data;
    Bounds bounds;
    Py_ssize_t budget;
    Reason reason; /* NO_REASON on failure: a Python exception is set */
    Py_ssize_t offset;
    Later *later;
    Py_ssize_t later_count, later_room;
    /* Members of a oneof that were replaced: one of each class is emptied and used again, so that members taking turns
     * cost no more than their bytes. */
    PyObject *spare[SPARES];
    int spares;
} Run;

/* --- everything that registration leaves behind */

enum { F_ENCODE, F_DECODE, F_DECODE_KIND, F_DECODE_MESSAGE, F_PEEK, F_KIND_OF, F_POSITION, F_MOVEMENT, F_CHAT, FUNCTIONS };
enum { HASHED = 256 };

typedef struct {
    Plan *plans;
    Py_ssize_t plan_count;
    Plan *hashed[HASHED];
    Plan *packet;
    Field *version; /* Packet.protocol_version */
    PyObject *peek_type, *decode_error, *limits;
    Bounds usual;
    PyObject *last_limits; /* a one-entry cache: Limits never change */
    Bounds last;
    PyObject *twin[FUNCTIONS];
    PyObject *peeks[TAGS]; /* tag of a member -> Peek(kind, 100) */
    PyObject *names[3]; /* of the attributes of Limits */
    PyObject *underscore_value, *underscore_name, *empty;
    PyObject *switchable; /* ``self`` of the functions that use() redirects */
    bool delegate;        /* use("python") */
} State;

static State S;

static inline PyObject **slot_at(const void *base, Py_ssize_t offset)
{
    return (PyObject **)((char *)(uintptr_t)base + offset);
}

static inline void put(PyObject *message, Py_ssize_t offset, PyObject *value)
{
    PyObject **slot = slot_at(message, offset);
    PyObject *old = *slot;
    *slot = value;
    Py_XDECREF(old);
}

/* A message that is being decoded can be found by whoever asks the garbage collector, and that may run whenever a
 * container is made (CPython 3.11) or Python code runs.  So what a slot holds, if it holds anything, is looked at anew
 * after each of these, and whatever is used across one has a reference of ours. */
static int changed(void)
{
    PyErr_SetString(PyExc_RuntimeError, "a message was changed while it was being decoded");
    return -1;
}

static inline Plan *plan_of(PyTypeObject *type)
{
    if (LIKELY(S.packet != NULL && type == S.packet->cls))
        return S.packet;
    size_t at = ((uintptr_t)type >> 4) * 0x9E3779B97F4A7C15u >> 56;
    for (Plan *plan; (plan = S.hashed[at]) != NULL; at = (at + 1) % HASHED)
        if (plan->cls == type)
            return plan;
    return NULL;
}

static inline size_t hash_name(const PyObject *name)
{
    return ((uintptr_t)name >> 4) * 0x9E3779B97F4A7C15u >> 57;
}

/* The field of this name, which is the same object as in the tables: names are interned.  NULL if there is none, or if
 * somebody made the name at run time. */
static inline const Field *field_named(const Plan *plan, const PyObject *name)
{
    size_t at = hash_name(name);
    for (uint8_t index; (index = plan->by_name[at]) != 0; at = (at + 1) % NAMES)
        if (plan->fields[index - 1].name == name)
            return &plan->fields[index - 1];
    return NULL;
}

/* What the twin says to the same call. */
static PyObject *ask_twin(int function, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (S.twin[function] == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the native codec has no message classes yet: import dcl_comms_core.codec");
        return NULL;
    }
    return PyObject_Vectorcall(S.twin[function], args, (size_t)nargs, kwnames);
}

/* First line of every public function: through use("python") it is the twin's. */
#define DELEGATED(self) UNLIKELY(S.delegate && (self) == S.switchable)

#endif
