/* Objects to bytes.
 *
 * One pass finds a bound for the size, which is exact but for numbers and non-ASCII text; the other writes without
 * looking at the bound again.  Neither runs any Python code, so nothing can change between them: everything that is not
 * of a built-in type or of exactly the field's class is unusual, and then the twin encodes, or explains its refusal.
 */

enum { SMALL = 1024, LARGEST = 1 << 30, HEAD = 8 /* a tag and a size */ };
#define UNUSUAL ((Py_ssize_t)-1)

static bool number(PyObject *value, const Field *field, int64_t *out)
{
    if (LIKELY(PyLong_CheckExact(value) || PyBool_Check(value) ||
               (field->kind == K_ENUM && Py_TYPE(value) == field->enumeration->type))) {
        int overflow;
#if PY_VERSION_HEX >= 0x030C0000
        if (LIKELY(PyUnstable_Long_IsCompact((PyLongObject *)value))) {
            *out = PyUnstable_Long_CompactValue((PyLongObject *)value);
            return true;
        }
#endif
        *out = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (LIKELY(!overflow))
            return true;
    }
    return false;
}

static inline bool real(PyObject *value, double *out)
{
    if (LIKELY(PyFloat_CheckExact(value))) {
        *out = PyFloat_AS_DOUBLE(value);
        return true;
    }
    if (PyLong_CheckExact(value) || PyBool_Check(value)) {
        *out = PyLong_AsDouble(value);
        if (!(*out == -1.0 && PyErr_Occurred()))
            return true;
        PyErr_Clear();
    }
    return false;
}

static Py_ssize_t bound_of(const Plan *plan, const void *base);

static Py_ssize_t bound_of_value(const Plan *plan, int kind, PyObject *value)
{
    if (kind == K_STRING)
        return PyUnicode_CheckExact(value) ? HEAD + text_bound(value) : UNUSUAL;
    if (kind == K_BYTES)
        return PyBytes_CheckExact(value) ? HEAD + PyBytes_GET_SIZE(value) : UNUSUAL;
    if (kind == K_MESSAGE) {
        if (Py_TYPE(value) != plan->cls)
            return UNUSUAL;
        Py_ssize_t size = bound_of(plan, value);
        return size < 0 ? size : size + HEAD;
    }
    return HEAD + 10; /* any number */
}

static Py_ssize_t bound_of_many(const Field *field, PyObject *value)
{
    Py_ssize_t total = 0, size, at = 0;
    if (field->presence == P_REPEATED) {
        if (!PyList_CheckExact(value))
            return UNUSUAL;
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(value); i++) {
            size = bound_of_value(field->message, field->kind, PyList_GET_ITEM(value, i));
            if (size < 0 || (total += size) > LARGEST)
                return UNUSUAL;
        }
        return total;
    }
    if (!PyDict_CheckExact(value))
        return UNUSUAL;
    PyObject *key, *item;
    while (PyDict_Next(value, &at, &key, &item)) {
        size = bound_of_value(NULL, field->key, key);
        Py_ssize_t more = bound_of_value(field->message, field->value, item);
        if (size < 0 || more < 0 || (total += HEAD + size + more) > LARGEST)
            return UNUSUAL;
    }
    return total;
}

/* The most bytes that the message at ``base`` takes; UNUSUAL if the twin has to look at it. */
static Py_ssize_t bound_of(const Plan *plan, const void *base)
{
    PyObject *unknown = *slot_at(base, plan->unknown);
    if (UNLIKELY(unknown == NULL || !PyBytes_CheckExact(unknown)))
        return UNUSUAL;
    Py_ssize_t total = plan->static_bound + PyBytes_GET_SIZE(unknown), size;
    int members = 0;
    for (int i = 0; i < plan->dynamic_count; i++) {
        const Field *field = plan->fields + plan->dynamic[i];
        PyObject *value = *slot_at(base, field->offset);
        if (UNLIKELY(value == NULL))
            return UNUSUAL;
        if (value == field->absent)
            continue;
        switch (field->presence) {
        case P_REPEATED:
        case P_MAP:
            size = bound_of_many(field, value);
            break;
        case P_ONEOF:
            if (++members > 1)
                return UNUSUAL;
            /* fall through */
        default:
            size = bound_of_value(field->message, field->kind, value);
        }
        if (UNLIKELY(size < 0 || (total += size) > LARGEST))
            return UNUSUAL;
    }
    return total;
}

static inline uint8_t *write_tag(uint8_t *p, const Field *field)
{
    /* ``tag_bytes`` has room for more than a tag needs, and so has the output (see static_bound). */
    p[0] = field->tag_bytes[0];
    if (LIKELY(field->tag_size == 1))
        return p + 1;
    p[1] = field->tag_bytes[1];
    return p + 2;
}

static uint8_t *write_fields(const Plan *plan, const void *base, uint8_t *p, const uint8_t *limit);

/* A message after its size, whose own size is guessed from what is left of the bound. */
static uint8_t *write_message(const Plan *plan, PyObject *message, uint8_t *p, const uint8_t *limit)
{
    unsigned guess = varint_size((uint64_t)(limit - p));
    uint8_t *body = p + guess, *end = write_fields(plan, message, body, limit);
    if (end == NULL)
        return NULL;
    size_t size = (size_t)(end - body);
    unsigned width = varint_size(size);
    write_varint(p, size);
    if (width != guess) {
        memmove(p + width, body, size);
        return p + width + size;
    }
    return end;
}

/* A value after its tag. */
static uint8_t *write_value(const Field *field, const Plan *plan, int kind, PyObject *value, uint8_t *p,
                            const uint8_t *limit)
{
    int64_t n;
    double d;
    float f;
    switch (kind) {
    case K_FLOAT:
        if (UNLIKELY(!real(value, &d)))
            return NULL;
        f = (float)d;
        if (UNLIKELY(isinf(f) && !isinf(d)))
            return NULL;
        memcpy(p, &f, 4);
        return p + 4;
    case K_DOUBLE:
        if (UNLIKELY(!real(value, &d)))
            return NULL;
        memcpy(p, &d, 8);
        return p + 8;
    case K_STRING:
        return write_text(p, value);
    case K_BYTES:
        p = write_varint(p, (uint64_t)PyBytes_GET_SIZE(value));
        memcpy(p, PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value));
        return p + PyBytes_GET_SIZE(value);
    case K_MESSAGE:
        return write_message(plan, value, p, limit);
    case K_UINT64:
        if (PyLong_CheckExact(value)) {
            uint64_t large = PyLong_AsUnsignedLongLong(value);
            if (!(large == UINT64_MAX && PyErr_Occurred()))
                return write_varint(p, large);
            PyErr_Clear();
            return NULL;
        }
        if (!number(value, field, &n))
            return NULL;
        break;
    default:
        if (UNLIKELY(!number(value, field, &n)))
            return NULL;
        if (kind == K_BOOL)
            n = n != 0;
        else if (kind == K_UINT32 ? (n < 0 || n > UINT32_MAX) : kind != K_INT64 && (n < INT32_MIN || n > INT32_MAX))
            return NULL;
        if (kind == K_SINT32)
            n = n < 0 ? -2 * n - 1 : 2 * n;
    }
    return write_varint(p, (uint64_t)n);
}

static uint8_t *write_many(const Field *field, PyObject *value, uint8_t *p, const uint8_t *limit)
{
    if (field->presence == P_REPEATED) {
        for (Py_ssize_t i = 0; p != NULL && i < PyList_GET_SIZE(value); i++)
            p = write_value(field, field->message, field->kind, PyList_GET_ITEM(value, i), write_tag(p, field), limit);
        return p;
    }
    static const uint8_t wire[] = {[K_UINT32] = 0, [K_STRING] = 2, [K_MESSAGE] = 2};
    PyObject *key, *item;
    Py_ssize_t at = 0;
    while (PyDict_Next(value, &at, &key, &item)) {
        p = write_tag(p, field);
        unsigned guess = varint_size((uint64_t)(limit - p));
        uint8_t *body = p + guess, *end = body;
        *end++ = 1 << 3 | wire[field->key];
        end = write_value(field, NULL, field->key, key, end, limit);
        if (end == NULL)
            return NULL;
        *end++ = 2 << 3 | wire[field->value];
        end = write_value(field, field->message, field->value, item, end, limit);
        if (end == NULL)
            return NULL;
        size_t size = (size_t)(end - body);
        unsigned width = varint_size(size);
        write_varint(p, size);
        if (width != guess)
            memmove(p + width, body, size);
        p += width + size;
    }
    return p;
}

/* An implicit field that is a number, or nothing if it is zero.  -0.0 is not. */
static inline uint8_t *write_number(const Field *field, PyObject *value, uint8_t *p)
{
    int64_t n;
    double d;
    if (field->kind == K_FLOAT || field->kind == K_DOUBLE) {
        if (UNLIKELY(!real(value, &d)))
            return NULL;
        uint64_t bits;
        memcpy(&bits, &d, 8);
        if (bits == 0)
            return p;
        p = write_tag(p, field);
        if (field->kind == K_DOUBLE) {
            memcpy(p, &d, 8);
            return p + 8;
        }
        float f = (float)d;
        if (UNLIKELY(isinf(f) && !isinf(d)))
            return NULL;
        memcpy(p, &f, 4);
        return p + 4;
    }
    if (value == Py_True && field->kind != K_SINT32) {
        p = write_tag(p, field);
        *p = 1;
        return p + 1;
    }
    if (number(value, field, &n) && n == 0)
        return p;
    return write_value(field, NULL, field->kind, value, write_tag(p, field), NULL);
}

/* The fields of the message at ``base`` in order of number, then its unknown ones; NULL if the twin has to look. */
static uint8_t *write_fields(const Plan *plan, const void *base, uint8_t *p, const uint8_t *limit)
{
    for (const Field *field = plan->fields, *last = field + plan->count; field < last; field++) {
        PyObject *value = *slot_at(base, field->offset);
        if (UNLIKELY(value == NULL))
            return NULL;
        if (value == field->absent)
            continue;
        if (field->presence >= P_REPEATED)
            p = write_many(field, value, p, limit);
        else if (field->presence != P_IMPLICIT)
            p = write_value(field, field->message, field->kind, value, write_tag(p, field), limit);
        else if (field->kind == K_STRING ? PyUnicode_GET_LENGTH(value) > 0
                                         : field->kind == K_BYTES && PyBytes_GET_SIZE(value) > 0)
            p = write_value(field, NULL, field->kind, value, write_tag(p, field), limit);
        else if (field->kind != K_STRING && field->kind != K_BYTES)
            p = write_number(field, value, p);
        if (UNLIKELY(p == NULL))
            return NULL;
    }
    PyObject *unknown = *slot_at(base, plan->unknown);
    memcpy(p, PyBytes_AS_STRING(unknown), (size_t)PyBytes_GET_SIZE(unknown));
    return p + PyBytes_GET_SIZE(unknown);
}

/* The message at ``base``; NULL without an exception if the twin has to look. */
static PyObject *encode_at(const Plan *plan, const void *base)
{
    uint8_t small[SMALL];
    Py_ssize_t bound = bound_of(plan, base);
    if (UNLIKELY(bound < 0))
        return NULL;
    if (LIKELY(bound <= SMALL)) {
        uint8_t *end = write_fields(plan, base, small, small + bound);
        return LIKELY(end != NULL) ? PyBytes_FromStringAndSize((char *)small, end - small) : NULL;
    }
    PyObject *out = PyBytes_FromStringAndSize(NULL, bound);
    if (out == NULL)
        return NULL;
    uint8_t *start = (uint8_t *)PyBytes_AS_STRING(out), *end = write_fields(plan, base, start, start + bound);
    if (UNLIKELY(end == NULL)) {
        Py_DECREF(out);
        return NULL;
    }
    Py_ssize_t size = end - start;
    if (bound - size > size / 8) {
        (void)_PyBytes_Resize(&out, size); /* on failure it is NULL, with an exception */
    } else {
        Py_SET_SIZE(out, size); /* not worth moving for so little */
        *end = 0;
    }
    return out;
}

static PyObject *encode(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (LIKELY(nargs == 1 && kwnames == NULL) && !DELEGATED(self)) {
        const Plan *plan = plan_of(Py_TYPE(args[0]));
        if (LIKELY(plan != NULL)) {
            PyObject *out = encode_at(plan, args[0]);
            if (LIKELY(out != NULL) || PyErr_Occurred())
                return out;
        }
    }
    return ask_twin(F_ENCODE, args, nargs, kwnames);
}

/* A Packet from the arguments of one of its members, in the constructor's order or by name: they are laid out like an
 * object that has only slots. */
enum { LARGEST_BLOCK = 64 };

static PyObject *encode_arguments(int function, const Field *member, PyObject *self, PyObject *const *args,
                                  Py_ssize_t nargs, PyObject *kwnames)
{
    if (DELEGATED(self) || S.packet == NULL || nargs > member->message->count)
        goto unusual;
    const Plan *plan = member->message;
    PyObject *block[LARGEST_BLOCK], *version = NULL;
    char *base = (char *)block - plan->block;
    memcpy(block, plan->defaults, (size_t)plan->block_size);
    for (Py_ssize_t i = 0; i < nargs; i++)
        *slot_at(base, plan->fields[plan->arguments[i]].offset) = args[i];
    Py_ssize_t count = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        const Field *field = field_named(plan, name);
        if (LIKELY(field != NULL && plan->places[field - plan->fields] >= nargs))
            *slot_at(base, field->offset) = args[nargs + i];
        else if (name == S.version->name)
            version = args[nargs + i];
        else
            goto unusual;
    }
    Py_ssize_t bound = bound_of(plan, base), room = bound + 4 * HEAD;
    int64_t n = 100;
    if (UNLIKELY(bound < 0))
        goto unusual;
    if (version != NULL && (!number(version, S.version, &n) || n < 0 || n > UINT32_MAX))
        goto unusual;
    uint8_t small[SMALL], *start = room <= SMALL ? small : PyMem_Malloc((size_t)room);
    if (UNLIKELY(start == NULL))
        return PyErr_NoMemory();
    uint8_t *p = write_tag(start, member), *body = p + varint_size((uint64_t)bound);
    uint8_t *end = write_fields(plan, base, body, body + bound);
    PyObject *out = NULL;
    if (LIKELY(end != NULL)) {
        size_t size = (size_t)(end - body);
        uint8_t *place = write_varint(p, size);
        if (place != body) {
            memmove(place, body, size);
            end = place + size;
        }
        if (n != 0)
            end = write_varint(write_tag(end, S.version), (uint64_t)n);
        out = PyBytes_FromStringAndSize((char *)start, end - start);
    }
    if (UNLIKELY(start != small))
        PyMem_Free(start);
    if (LIKELY(end != NULL))
        return out;
unusual:
    return ask_twin(function, args, nargs, kwnames);
}
