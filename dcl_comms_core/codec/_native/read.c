/* The functions that read: decode, decode_kind, decode_message, peek, kind_of. */

/* One attribute of a Limits, which are ints; false if the twin has to look. */
static bool limit(PyObject *limits, int index, Py_ssize_t *out)
{
    PyObject *value = PyObject_GetAttr(limits, S.names[index]);
    bool fine = value != NULL && PyLong_CheckExact(value);
    if (fine) {
        *out = PyLong_AsSsize_t(value);
        if (*out == -1 && PyErr_Occurred())
            *out = PY_SSIZE_T_MAX;
        fine = *out >= 0;
    }
    PyErr_Clear();
    Py_XDECREF(value);
    return fine;
}

static bool read_limits(PyObject *limits, Bounds *out)
{
    return limit(limits, 0, &out->packet_bytes) && limit(limits, 1, &out->unknown_bytes) &&
           limit(limits, 2, &out->nesting);
}

/* ``limits=`` is the only keyword; anything else is for the twin. */
static bool bounds_of(PyObject *const *values, PyObject *kwnames, Bounds *out)
{
    if (LIKELY(kwnames == NULL || PyTuple_GET_SIZE(kwnames) == 0)) {
        *out = S.usual;
        return true;
    }
    PyObject *name = PyTuple_GET_ITEM(kwnames, 0);
    if (PyTuple_GET_SIZE(kwnames) != 1 || PyUnicode_CompareWithASCIIString(name, "limits") != 0)
        return false;
    if (values[0] == S.limits) {
        *out = S.usual;
        return true;
    }
    if (values[0] != S.last_limits) {
        Bounds bounds;
        if (!read_limits(values[0], &bounds))
            return false;
        Py_XSETREF(S.last_limits, Py_NewRef(values[0]));
        S.last = bounds;
    }
    *out = S.last;
    return true;
}

/* The bytes of any contiguous buffer, without a copy; false if the twin has to refuse it. */
static bool open_bytes(PyObject *data, Py_buffer *view, const uint8_t **start, Py_ssize_t *size)
{
    view->obj = NULL;
    if (LIKELY(PyBytes_Check(data))) {
        *start = (const uint8_t *)PyBytes_AS_STRING(data);
        *size = PyBytes_GET_SIZE(data);
        return true;
    }
    if (PyObject_GetBuffer(data, view, PyBUF_FULL_RO) < 0) {
        PyErr_Clear();
        view->obj = NULL;
        return false;
    }
    if (!PyBuffer_IsContiguous(view, 'C')) {
        PyBuffer_Release(view);
        return false;
    }
    *start = view->buf != NULL ? view->buf : (const uint8_t *)"";
    *size = view->len;
    return true;
}

static inline void close_bytes(Py_buffer *view)
{
    if (UNLIKELY(view->obj != NULL))
        PyBuffer_Release(view);
}

/* Decode; NULL with an exception, or with ``*twin`` set if it has to look. */
static PyObject *decode_data(Plan *plan, PyObject *data, PyObject *const *values, PyObject *kwnames, bool *twin)
{
    Run run;
    Bounds bounds;
    Py_buffer view;
    Py_ssize_t size;
    if (UNLIKELY(!bounds_of(values, kwnames, &bounds) || !open_bytes(data, &view, &run.data, &size))) {
        *twin = true;
        return NULL;
    }
    start_run(&run, &bounds);
    PyObject *message = decode_run(&run, plan, size);
    close_bytes(&view);
    if (UNLIKELY(message == NULL))
        raise_reason(&run);
    return message;
}

static PyObject *kind_name(PyObject *packet)
{
    const Plan *plan = S.packet;
    for (int i = 0; i < plan->members; i++) {
        const Field *field = &plan->fields[plan->dynamic[i]];
        if (*slot_at(packet, field->offset) != Py_None)
            return field->name;
    }
    return Py_None;
}

static PyObject *decode(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    bool twin = false;
    if (LIKELY(nargs == 1 && S.packet != NULL) && !DELEGATED(self)) {
        PyObject *packet = decode_data(S.packet, args[0], args + 1, kwnames, &twin);
        if (LIKELY(!twin))
            return packet;
    }
    return ask_twin(F_DECODE, args, nargs, kwnames);
}

static PyObject *decode_kind(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    bool twin = false;
    if (LIKELY(nargs == 1 && S.packet != NULL) && !DELEGATED(self)) {
        PyObject *packet = decode_data(S.packet, args[0], args + 1, kwnames, &twin);
        if (LIKELY(packet != NULL)) {
            PyObject *pair = PyTuple_Pack(2, kind_name(packet), packet);
            Py_DECREF(packet);
            return pair;
        }
        if (!twin)
            return NULL;
    }
    return ask_twin(F_DECODE_KIND, args, nargs, kwnames);
}

static PyObject *decode_message(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    bool twin = false;
    if (LIKELY(nargs == 2) && !DELEGATED(self)) {
        Plan *plan = plan_of((PyTypeObject *)args[0]);
        if (LIKELY(plan != NULL)) {
            PyObject *message = decode_data(plan, args[1], args + 2, kwnames, &twin);
            if (LIKELY(!twin))
                return message;
        }
    }
    return ask_twin(F_DECODE_MESSAGE, args, nargs, kwnames);
}

/* Peek(kind, version), where the member's tag tells the kind; 0 without one. */
static PyObject *new_peek(uint32_t tag, uint32_t version)
{
    if (LIKELY(version == 100))
        return Py_NewRef(S.peeks[tag]);
    PyObject *number = PyLong_FromUnsignedLong(version);
    if (number == NULL)
        return NULL;
    PyObject *kind = PyTuple_GET_ITEM(S.peeks[tag], 0), *both[] = {kind, number};
    PyObject *peeked = PyObject_Vectorcall(S.peek_type, both, 2, NULL);
    Py_DECREF(number);
    return peeked;
}

static PyObject *peek(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Run run;
    Py_buffer view;
    Py_ssize_t size;
    if (UNLIKELY(nargs != 1 || S.packet == NULL || DELEGATED(self) || !bounds_of(args + 1, kwnames, &run.bounds) ||
                 !open_bytes(args[0], &view, &run.data, &size)))
        return ask_twin(F_PEEK, args, nargs, kwnames);
    const uint8_t *p = run.data, *end = p + size;
    uint32_t tag, member = 0;
    uint64_t version = 0;
    PyObject *result = NULL;
    run.reason = NO_REASON;
    if (UNLIKELY(size > run.bounds.packet_bytes)) {
        run.reason = TOO_LARGE;
        run.offset = run.bounds.packet_bytes;
        goto done;
    }
    while (p < end) {
        const uint8_t *start = p;
        if (UNLIKELY(read_tag(&run, &p, end, &tag) < 0))
            goto done;
        if (tag < TAGS && S.peeks[tag] != NULL && tag != 0) {
            member = tag;
            if (UNLIKELY(read_size(&run, &p, end, &size) < 0))
                goto done;
            p += size;
        } else if (tag == S.version->tag) {
            if (UNLIKELY(read_varint(&run, &p, end, &version) < 0))
                goto done;
        } else if (skip(&run, tag, start, &p, end, run.bounds.nesting) < 0) {
            goto done;
        }
    }
    result = new_peek(member, (uint32_t)version);
done:
    close_bytes(&view);
    if (UNLIKELY(result == NULL))
        raise_reason(&run);
    return result;
}

static PyObject *kind_of(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (LIKELY(nargs == 1 && kwnames == NULL && S.packet != NULL && Py_TYPE(args[0]) == S.packet->cls) &&
        !DELEGATED(self)) {
        const Plan *plan = S.packet;
        bool whole = true;
        for (int i = 0; whole && i < plan->members; i++) {
            const Field *field = &plan->fields[plan->dynamic[i]];
            PyObject *value = *slot_at(args[0], field->offset);
            if (value != NULL && value != Py_None)
                return Py_NewRef(field->name);
            whole = value != NULL; /* if it was deleted, the twin says so */
        }
        if (whole)
            Py_RETURN_NONE;
    }
    return ask_twin(F_KIND_OF, args, nargs, kwnames);
}
