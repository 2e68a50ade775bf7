/* Tags, varints, lengths and unknown fields.  Offsets and reasons are those of wire.py, one for one. */

static const char *const REASONS[] = {
    [ENDS_IN_NUMBER] = "the bytes end inside a number",
    [LONG_NUMBER] = "a number of more than 10 bytes",
    [LONG_TAG] = "a tag of more than 32 bits",
    [LONG_SIZE] = "a length beyond the end",
    [NUMBER_ZERO] = "field number 0",
    [NO_SUCH_GROUP] = "the end of a group that is not open",
    [WIRE_TYPE] = "an unknown wire type",
    [ENDS_IN_GROUP] = "the bytes end inside a group",
    [TOO_DEEP] = "nested too deeply",
    [NOT_UTF8] = "text that is not UTF-8",
};

static int refuse(Run *run, Reason reason, const uint8_t *at)
{
    run->reason = reason;
    run->offset = at - run->data;
    return -1;
}

/* Turn a failed run into its exception. */
static void raise_reason(const Run *run)
{
    PyObject *text;
    if (run->reason == NO_REASON)
        return;
    if (run->reason == TOO_LARGE)
        text = PyUnicode_FromFormat("more than %zd bytes", run->bounds.packet_bytes);
    else if (run->reason == TOO_MUCH_UNKNOWN)
        text = PyUnicode_FromFormat("unknown fields of more than %zd bytes", run->bounds.unknown_bytes);
    else
        text = PyUnicode_FromString(REASONS[run->reason]);
    if (text == NULL)
        return;
    PyObject *error = PyObject_CallFunction(S.decode_error, "Nn", text, run->offset);
    if (error == NULL)
        return;
    PyErr_SetObject(S.decode_error, error);
    Py_DECREF(error);
}

static int read_long_varint(Run *run, const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    const uint8_t *p = *at;
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (p >= end)
            return refuse(run, ENDS_IN_NUMBER, end);
        uint64_t byte = *p++;
        value |= (byte & 127) << shift;
        if (byte < 128) {
            *at = p;
            *out = value;
            return 0;
        }
    }
    return refuse(run, LONG_NUMBER, p - 1);
}

static inline int read_varint(Run *run, const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    if (LIKELY(*at < end && **at < 128)) {
        *out = *(*at)++;
        return 0;
    }
    return read_long_varint(run, at, end, out);
}

static int read_long_tag(Run *run, const uint8_t *start, const uint8_t **at, const uint8_t *end, uint32_t *out)
{
    uint64_t tag;
    *at = start;
    if (read_long_varint(run, at, end, &tag) < 0)
        return -1;
    if (*at - start > 5 || tag > UINT32_MAX)
        return refuse(run, LONG_TAG, start);
    *out = (uint32_t)tag;
    return 0;
}

/* The tag at *at, which is below ``end``. */
static inline int read_tag(Run *run, const uint8_t **at, const uint8_t *end, uint32_t *out)
{
    const uint8_t *start = *at;
    uint32_t tag = *(*at)++;
    if (tag > 127) {
        if (UNLIKELY(*at >= end || **at > 127))
            return read_long_tag(run, start, at, end, out);
        tag = (tag & 127) | (uint32_t)*(*at)++ << 7;
    }
    *out = tag;
    return 0;
}

static inline int read_size(Run *run, const uint8_t **at, const uint8_t *end, Py_ssize_t *out)
{
    const uint8_t *start = *at;
    uint64_t size;
    if (read_varint(run, at, end, &size) < 0)
        return -1;
    if (*at - start > 5 || size > (uint64_t)(end - *at))
        return refuse(run, LONG_SIZE, start);
    *out = (Py_ssize_t)size;
    return 0;
}

static int skip_value(Run *run, uint32_t tag, const uint8_t *start, const uint8_t **at, const uint8_t *end)
{
    uint64_t number;
    Py_ssize_t size;
    switch (tag & 7) {
    case 0:
        return read_varint(run, at, end, &number);
    case 1:
    case 5:
        size = (tag & 7) == 1 ? 8 : 4;
        if (end - *at < size)
            return refuse(run, ENDS_IN_NUMBER, end);
        break;
    case 2:
        if (read_size(run, at, end, &size) < 0)
            return -1;
        break;
    case 4:
        return refuse(run, NO_SUCH_GROUP, start);
    default:
        return refuse(run, WIRE_TYPE, start);
    }
    *at += size;
    return 0;
}

enum { FEW_GROUPS = 128 };

/* A group up to its end tag.  The stack is ours: nesting costs no recursion.  Like upb, lets number 0 pass inside. */
static int skip_group(Run *run, uint32_t number, const uint8_t *start, const uint8_t **at, const uint8_t *end,
                      Py_ssize_t depth)
{
    uint32_t few[FEW_GROUPS], *open = few;
    Py_ssize_t count = 1, room = FEW_GROUPS;
    uint32_t tag;
    int result = -1;
    open[0] = number;
    if (count > depth)
        return refuse(run, TOO_DEEP, start);
    while (count > 0) {
        start = *at;
        if (start >= end) {
            refuse(run, ENDS_IN_GROUP, end);
            goto done;
        }
        if (read_tag(run, at, end, &tag) < 0)
            goto done;
        if ((tag & 7) == 3) {
            if (count == room) {
                uint32_t *more = PyMem_Realloc(open == few ? NULL : open, (size_t)room * 2 * sizeof *open);
                if (more == NULL) {
                    PyErr_NoMemory();
                    goto done;
                }
                if (open == few)
                    memcpy(more, few, sizeof few);
                open = more;
                room *= 2;
            }
            open[count++] = tag >> 3;
            if (count > depth) {
                refuse(run, TOO_DEEP, start);
                goto done;
            }
        } else if ((tag & 7) != 4) {
            if (skip_value(run, tag, start, at, end) < 0)
                goto done;
        } else if (open[--count] != tag >> 3) {
            refuse(run, NO_SUCH_GROUP, start);
            goto done;
        }
    }
    result = 0;
done:
    if (open != few)
        PyMem_Free(open);
    return result;
}

/* Step over an unknown field: its tag is at ``start``, *at is after it, ``depth`` levels are left. */
static int skip(Run *run, uint32_t tag, const uint8_t *start, const uint8_t **at, const uint8_t *end, Py_ssize_t depth)
{
    if (tag < 8)
        return refuse(run, NUMBER_ZERO, start);
    if ((tag & 7) == 3)
        return skip_group(run, tag >> 3, start, at, end, depth);
    return skip_value(run, tag, start, at, end);
}

static inline unsigned varint_size(uint64_t value)
{
    return (unsigned)(63 - __builtin_clzll(value | 1)) / 7 + 1;
}

static inline uint8_t *write_varint(uint8_t *p, uint64_t value)
{
    while (value > 127) {
        *p++ = (uint8_t)(value | 128);
        value >>= 7;
    }
    *p++ = (uint8_t)value;
    return p;
}
