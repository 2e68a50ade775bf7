/* Many Position or Movement packets into the rows of a structured array. */

typedef struct {
    const Field *member;
    Py_ssize_t width, version, valid; /* bytes of a row; offsets in it */
    Py_ssize_t at[LARGEST_BLOCK];     /* index of a field -> its offset */
    struct { uint8_t kind; uint16_t at; } by_tag[TAGS]; /* the same by tag; NO_FIELD for others */
} Layout;

enum { NO_FIELD = 255, WIDEST_ROW = UINT16_MAX, AHEAD = 16 };

static inline void put_float(uint8_t *place, const uint8_t *bytes)
{
    uint32_t bits;
    memcpy(&bits, bytes, 4);
    if (UNLIKELY((bits & 0x7FFFFFFF) > 0x7F800000))
        bits |= 0x00400000; /* quiet, as Python's floats are */
    memcpy(place, &bits, 4);
}

static inline void put_number(int kind, uint8_t *place, uint64_t number)
{
    uint32_t low = (uint32_t)number;
    if (kind == K_BOOL)
        *place = number != 0;
    else
        memcpy(place, &low, 4);
}

/* The usual packet: only this member and the version, only known fields.  False leaves the row to the decoder. */
static bool quick_row(const Layout *layout, Run *run, const uint8_t *p, const uint8_t *end, uint8_t *row)
{
    bool seen = false;
    uint32_t tag;
    uint64_t number;
    Py_ssize_t size;
    while (p < end) {
        if (read_tag(run, &p, end, &tag) < 0)
            return false;
        if (tag == S.version->tag) {
            if (read_varint(run, &p, end, &number) < 0)
                return false;
            put_number(K_UINT32, row + layout->version, number);
            continue;
        }
        if (tag != layout->member->tag || read_size(run, &p, end, &size) < 0)
            return false;
        seen = true;
        for (const uint8_t *last = p + size; p < last;) {
            if (UNLIKELY(read_tag(run, &p, last, &tag) < 0 || tag >= TAGS))
                return false;
            uint8_t *place = row + layout->by_tag[tag].at;
            switch (layout->by_tag[tag].kind) {
            case K_FLOAT:
                if (UNLIKELY(last - p < 4))
                    return false;
                put_float(place, p);
                p += 4;
                break;
            case NO_FIELD:
                return false;
            default:
                if (UNLIKELY(read_varint(run, &p, last, &number) < 0))
                    return false;
                put_number(layout->by_tag[tag].kind, place, number);
            }
        }
    }
    row[layout->valid] = seen;
    return seen;
}

/* From a decoded Packet. */
static int copy_row(const Layout *layout, PyObject *packet, uint8_t *row)
{
    PyObject *member = *slot_at(packet, layout->member->offset);
    const Plan *plan = layout->member->message;
    if (member == Py_None)
        return 0;
    PyObject *version = *slot_at(packet, S.version->offset);
    if (member == NULL || Py_TYPE(member) != plan->cls || version == NULL || !PyLong_CheckExact(version))
        return changed();
    for (int i = 0; i < plan->count; i++) {
        PyObject *value = *slot_at(member, plan->fields[i].offset);
        bool is_float = plan->fields[i].kind == K_FLOAT;
        if (value == NULL || !(is_float ? PyFloat_CheckExact(value) : PyLong_Check(value)))
            return changed();
        if (is_float) {
            float f = (float)PyFloat_AS_DOUBLE(value);
            put_float(row + layout->at[i], (const uint8_t *)&f);
        } else {
            put_number(plan->fields[i].kind, row + layout->at[i], PyLong_AsUnsignedLongLongMask(value));
        }
    }
    put_number(K_UINT32, row + layout->version, PyLong_AsUnsignedLongLongMask(version));
    row[layout->valid] = 1;
    return 0;
}

/* A row from anything but the usual packet.  Python code may run meanwhile (a buffer's own, or a finalizer's), so the
 * object must be kept alive here. */
static int fill_slowly(const Layout *layout, const Bounds *bounds, PyObject *data, uint8_t *row)
{
    Run run;
    Py_buffer view;
    Py_ssize_t size;
    int result = 0;
    start_run(&run, bounds);
    if (!open_bytes(data, &view, &run.data, &size)) {
        PyObject *never = ask_twin(F_DECODE, &data, 1, NULL); /* raises */
        Py_XDECREF(never);
        return never == NULL ? -1 : 0;
    }
    PyObject *packet = decode_run(&run, S.packet, size);
    if (packet != NULL)
        result = copy_row(layout, packet, row);
    else if (run.reason == NO_REASON)
        result = -1;
    Py_XDECREF(packet);
    close_bytes(&view);
    return result;
}

static int fill_row(const Layout *layout, const Bounds *bounds, PyObject *data, uint8_t *row)
{
    if (LIKELY(PyBytes_CheckExact(data) && PyBytes_GET_SIZE(data) <= bounds->packet_bytes && bounds->nesting > 0)) {
        Run run; /* only for the readers of numbers, which leave a reason in it */
        run.data = (const uint8_t *)PyBytes_AS_STRING(data);
        if (LIKELY(quick_row(layout, &run, run.data, run.data + PyBytes_GET_SIZE(data), row)))
            return 0;
        memset(row, 0, (size_t)layout->width);
    }
    Py_INCREF(data);
    int result = fill_slowly(layout, bounds, data, row);
    Py_DECREF(data);
    return result;
}

/* fill(kind, packets, rows, width, (version, valid, *fields), limits): rows are zero and writable. */
static PyObject *fill(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *kind, *packets, *rows, *offsets, *limits;
    Layout layout = {0};
    Bounds bounds;
    Py_buffer out;
    if (!PyArg_ParseTuple(args, "UOOnO!O:fill", &kind, &packets, &rows, &layout.width, &PyTuple_Type, &offsets,
                          &limits))
        return NULL;
    if (!PyTuple_Check(packets) && !PyList_Check(packets))
        return PyErr_Format(PyExc_TypeError, "packets are a list or a tuple");
    for (int i = 0; S.packet != NULL && i < S.packet->members; i++) {
        const Field *field = &S.packet->fields[S.packet->dynamic[i]];
        if (PyUnicode_Compare(field->name, kind) == 0)
            layout.member = field;
    }
    if (layout.member == NULL || PyTuple_GET_SIZE(offsets) != layout.member->message->count + 2)
        return PyErr_Format(PyExc_ValueError, "no layout for %R", kind);
    if (!read_limits(limits, &bounds))
        return PyErr_Format(PyExc_TypeError, "limits that are not whole numbers");
    for (int tag = 0; tag < TAGS; tag++)
        layout.by_tag[tag].kind = NO_FIELD;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(offsets); i++) {
        const Field *field = i < 2 ? NULL : &layout.member->message->fields[i - 2];
        Py_ssize_t at = PyLong_AsSsize_t(PyTuple_GET_ITEM(offsets, i));
        Py_ssize_t size = i == 1 || (field != NULL && field->kind == K_BOOL) ? 1 : 4;
        if (at < 0 || at + size > layout.width || at > WIDEST_ROW || (field != NULL && field->presence != P_IMPLICIT) ||
            (field != NULL && field->kind != K_FLOAT && field->kind != K_BOOL && field->kind != K_ENUM &&
             field->kind != K_INT32 && field->kind != K_UINT32)) {
            PyErr_Clear();
            return PyErr_Format(PyExc_ValueError, "a row can't be laid out like this");
        }
        *(i == 0 ? &layout.version : i == 1 ? &layout.valid : &layout.at[i - 2]) = at;
        if (field != NULL) {
            layout.by_tag[field->tag].kind = field->kind;
            layout.by_tag[field->tag].at = (uint16_t)at;
        }
    }
    if (PyObject_GetBuffer(rows, &out, PyBUF_WRITABLE) < 0)
        return NULL;
    PyObject *result = NULL;
    Py_ssize_t i = 0, count = PySequence_Fast_GET_SIZE(packets);
    if (out.len != count * layout.width) {
        PyErr_SetString(PyExc_ValueError, "one row for each packet");
    } else {
        uint8_t *row = out.buf;
        while (i < count) {
            if (UNLIKELY(PySequence_Fast_GET_SIZE(packets) != count)) {
                PyErr_SetString(PyExc_ValueError, "the list was changed meanwhile");
                break;
            }
            if (i + AHEAD < count) { /* these objects are all over the memory */
                const char *later = (const char *)PySequence_Fast_GET_ITEM(packets, i + AHEAD);
                __builtin_prefetch(later);
                __builtin_prefetch(later + 64);
            }
            /* Counting references would write to each object; as long as nothing but C runs, the list holds them. */
            PyObject *data = PySequence_Fast_GET_ITEM(packets, i);
            if (fill_row(&layout, &bounds, data, row) < 0)
                break;
            row += layout.width;
            i++;
        }
        if (i == count)
            result = Py_NewRef(Py_None);
    }
    PyBuffer_Release(&out);
    return result;
}
