/* Text: UTF-8 to str and back. */

/* Copies; true if all of it is ASCII.  Written so that compilers make vector instructions of it. */
static bool copy_ascii(uint8_t *restrict out, const uint8_t *restrict in, Py_ssize_t size)
{
    Py_ssize_t i = 0;
    uint64_t seen = 0;
    for (; size - i >= 64; i += 64) {
        uint64_t words[8];
        memcpy(words, in + i, 64);
        for (int w = 0; w < 8; w++)
            seen |= words[w];
        memcpy(out + i, words, 64);
    }
    for (; size - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, in + i, 8);
        seen |= word;
        memcpy(out + i, &word, 8);
    }
    for (; i < size; i++) {
        seen |= in[i];
        out[i] = in[i];
    }
    return (seen & 0x8080808080808080u) == 0;
}

/* A str; NULL with a reason where the bytes are not UTF-8. */
static PyObject *read_text(Run *run, const uint8_t *p, Py_ssize_t size)
{
    PyObject *text;
    if (LIKELY(size > 1)) {
        text = PyUnicode_New(size, 127);
        if (text == NULL)
            return NULL;
        if (LIKELY(copy_ascii(PyUnicode_1BYTE_DATA(text), p, size)))
            return text;
        Py_DECREF(text);
    }
    text = PyUnicode_DecodeUTF8((const char *)p, size, "strict");
    if (text != NULL || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        return text;
    PyObject *type, *error, *trace;
    Py_ssize_t bad = 0;
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    int found = PyUnicodeDecodeError_GetStart(error, &bad);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(trace);
    if (found == 0)
        refuse(run, NOT_UTF8, p + bad);
    return NULL;
}

/* How many bytes of UTF-8 a str can take at most. */
static inline Py_ssize_t text_bound(PyObject *text)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    if (LIKELY(PyUnicode_IS_ASCII(text)))
        return length;
    return length * (PyUnicode_KIND(text) == PyUnicode_1BYTE_KIND ? 2 : PyUnicode_KIND(text) == PyUnicode_2BYTE_KIND ? 3 : 4);
}

static Py_ssize_t text_size(PyObject *text)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(text), size = length;
    int kind = (int)PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    for (Py_ssize_t i = 0; i < length; i++) {
        Py_UCS4 c = PyUnicode_READ(kind, data, i);
        size += (c > 0x7F) + (c > 0x7FF) + (c > 0xFFFF);
    }
    return size;
}

/* A length and the text; NULL for an unpaired surrogate. */
static uint8_t *write_text(uint8_t *p, PyObject *text)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    if (LIKELY(PyUnicode_IS_ASCII(text))) {
        p = write_varint(p, (uint64_t)length);
        memcpy(p, PyUnicode_1BYTE_DATA(text), (size_t)length);
        return p + length;
    }
    int kind = (int)PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    p = write_varint(p, (uint64_t)text_size(text));
    for (Py_ssize_t i = 0; i < length; i++) {
        Py_UCS4 c = PyUnicode_READ(kind, data, i);
        if (c < 0x80) {
            *p++ = (uint8_t)c;
            continue;
        }
        if (c < 0x800) {
            *p++ = (uint8_t)(0xC0 | c >> 6);
        } else {
            if (c < 0x10000) {
                if (c >= 0xD800 && c < 0xE000)
                    return NULL;
                *p++ = (uint8_t)(0xE0 | c >> 12);
            } else {
                *p++ = (uint8_t)(0xF0 | c >> 18);
                *p++ = (uint8_t)(0x80 | (c >> 12 & 63));
            }
            *p++ = (uint8_t)(0x80 | (c >> 6 & 63));
        }
        *p++ = (uint8_t)(0x80 | (c & 63));
    }
    return p;
}
