/* Bytes to objects: one strict pass, by the rules of strict.py. */

/* Put the values of an empty message into slots that hold nothing. */
static int empty(PyObject *message, Plan *plan)
{
    memcpy((char *)message + plan->block, plan->defaults, (size_t)plan->block_size);
    for (int i = 0; i < plan->shared_count; i++) {
        PyObject *object = plan->shared[i].object; /* an immortal one stays as it is */
        Py_SET_REFCNT(object, Py_REFCNT(object) + plan->shared[i].times);
    }
    if (UNLIKELY(plan->containers)) {
        for (Field *field = plan->fields, *last = field + plan->count; field < last; field++) {
            if (field->absent != NULL)
                continue;
            PyObject *container = field->presence == P_MAP ? PyDict_New() : PyList_New(0);
            if (container == NULL)
                return -1;
            put(message, field->offset, container);
        }
    }
    return 0;
}

static PyObject *new_message(Plan *plan)
{
    PyObject *message = plan->cls->tp_alloc(plan->cls, 0);
    if (UNLIKELY(message != NULL && empty(message, plan) < 0))
        Py_CLEAR(message);
    return message;
}

/* A message for a member of a oneof: one that was replaced before, or a new one. */
static PyObject *new_member(Run *run, Plan *plan)
{
    for (int i = 0; i < run->spares; i++) {
        PyObject *message = run->spare[i];
        if (Py_TYPE(message) != plan->cls)
            continue;
        run->spare[i] = run->spare[--run->spares];
        if (memcmp(slot_at(message, plan->block), plan->defaults, (size_t)plan->block_size) == 0)
            return message; /* nothing was put into it */
        for (Py_ssize_t at = plan->block; at < plan->block + plan->block_size; at += (Py_ssize_t)sizeof(PyObject *))
            Py_CLEAR(*slot_at(message, at));
        if (empty(message, plan) < 0)
            Py_CLEAR(message);
        return message;
    }
    return new_message(plan);
}

/* Takes a reference to a member that was replaced. */
static void retire(Run *run, PyObject *message)
{
    if (Py_REFCNT(message) == 1 && run->spares < SPARES)
        run->spare[run->spares++] = message;
    else
        Py_DECREF(message);
}

/* --- what is put right at the end */

static Later *add_later(Run *run, PyObject *message, Plan *plan, Field *field)
{
    if (run->later_count == run->later_room) {
        Py_ssize_t room = run->later_room ? run->later_room * 2 : 8;
        Later *more = PyMem_Realloc(run->later, (size_t)room * sizeof *more);
        if (more == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        run->later = more;
        run->later_room = room;
    }
    Later *entry = &run->later[run->later_count++];
    *entry = (Later){.message = Py_NewRef(message), .plan = plan, .field = field};
    return entry;
}

/* The record of a message's unknown fields, whose index its slot holds; NULL if there is none. */
static Later *record_of(Run *run, PyObject *message, const Plan *plan)
{
    PyObject *held = *slot_at(message, plan->unknown);
    if (held == NULL || !PyLong_CheckExact(held))
        return NULL;
    int overflow;
    long index = PyLong_AsLongAndOverflow(held, &overflow);
    if (index < 0 || index >= run->later_count || overflow)
        return NULL;
    Later *entry = &run->later[index];
    return entry->message == message && entry->field == NULL ? entry : NULL;
}

/* Keep a run of unknown fields of a message; ``input`` says that the bytes stay where they are. */
static int keep(Run *run, PyObject *message, Plan *plan, const uint8_t *start, Py_ssize_t size, bool input)
{
    Later *entry = record_of(run, message, plan);
    if (entry == NULL) {
        PyObject *index = PyLong_FromSsize_t(run->later_count);
        if (index == NULL)
            return -1;
        entry = add_later(run, message, plan, NULL);
        if (entry == NULL) {
            Py_DECREF(index);
            return -1;
        }
        put(message, plan->unknown, index);
        if (input) {
            entry->input = start;
            entry->size = size;
            return 0;
        }
    }
    if (entry->room < entry->size + size) {
        Py_ssize_t room = (entry->size + size) * 2 + 64;
        uint8_t *more = PyMem_Realloc(entry->buffer, (size_t)room);
        if (more == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        if (entry->input != NULL)
            memcpy(more, entry->input, (size_t)entry->size);
        entry->input = NULL;
        entry->buffer = more;
        entry->room = room;
    }
    memcpy(entry->buffer + entry->size, start, (size_t)size);
    entry->size += size;
    return 0;
}

static int settle_one(Later *entry)
{
    PyObject *message = entry->message;
    int result = 0;
    entry->message = NULL;
    if (entry->field != NULL) {
        PyObject *held = Py_XNewRef(*slot_at(message, entry->field->offset));
        if (held != NULL && PyLong_CheckExact(held)) {
            PyObject *value = unnamed_member(entry->field->enumeration, held);
            if (value != NULL)
                put(message, entry->field->offset, value);
            else
                result = -1;
        }
        Py_XDECREF(held);
    } else {
        const uint8_t *bytes = entry->input != NULL ? entry->input : entry->buffer;
        PyObject *value = PyBytes_FromStringAndSize((const char *)bytes, entry->size);
        if (value != NULL)
            put(message, entry->plan->unknown, value);
        else
            result = -1;
    }
    PyMem_Free(entry->buffer);
    Py_DECREF(message);
    return result;
}

static void drop_later(Run *run)
{
    for (Py_ssize_t i = 0; i < run->later_count; i++) {
        if (run->later[i].message != NULL) {
            PyMem_Free(run->later[i].buffer);
            Py_DECREF(run->later[i].message);
        }
    }
    PyMem_Free(run->later);
}

static int settle(Run *run)
{
    int result = 0;
    for (Py_ssize_t i = 0; result == 0 && i < run->later_count; i++)
        if (run->later[i].message != NULL)
            result = settle_one(&run->later[i]);
    return result;
}

/* --- reading */

static int merge(Run *run, PyObject *message, Plan *plan, const uint8_t *p, const uint8_t *end, Py_ssize_t depth);

static int spend(Run *run, const uint8_t *start, const uint8_t *after)
{
    run->budget -= after - start;
    return UNLIKELY(run->budget < 0) ? refuse(run, TOO_MUCH_UNKNOWN, start) : 0;
}

static int store_enum(Run *run, PyObject *message, Plan *plan, Field *field, int32_t n)
{
    if (n >= 0 && n < MEMBERS && field->enumeration->members[n] != NULL) {
        put(message, field->offset, Py_NewRef(field->enumeration->members[n]));
        return 0;
    }
    PyObject *held = *slot_at(message, field->offset);
    if ((held == NULL || !PyLong_CheckExact(held)) && add_later(run, message, plan, field) == NULL)
        return -1;
    PyObject *value = PyLong_FromLong(n);
    if (value == NULL)
        return -1;
    put(message, field->offset, value);
    return 0;
}

/* A pair of a map is a message with two fields on the wire.  One with unknown fields is no pair to protobuf: all of it
 * is an unknown field of the map's message, what was understood written again before the rest. */
static int keep_pair(Run *run, PyObject *message, Plan *plan, const Field *field, uint64_t number, PyObject *key,
                     PyObject *value, const uint8_t *rest, Py_ssize_t rest_size)
{
    Py_ssize_t bound = rest_size + 5 * HEAD;
    PyObject *encoded = NULL;
    int result = -1;
    if (value != NULL && field->value == K_MESSAGE) {
        Later *entry = record_of(run, value, field->message);
        if (entry != NULL && settle_one(entry) < 0)
            return -1;
        encoded = encode_at(field->message, value);
        if (encoded == NULL)
            return PyErr_Occurred() ? -1 : changed();
        bound += PyBytes_GET_SIZE(encoded);
    } else if (value != NULL) {
        bound += text_bound(value);
    }
    if (key != NULL)
        bound += text_bound(key);
    uint8_t *whole = PyMem_Malloc((size_t)bound), *body = whole + HEAD, *p = body;
    if (whole == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    if (key != NULL && PyUnicode_GET_LENGTH(key) > 0) {
        *p++ = 1 << 3 | 2;
        p = write_text(p, key);
    } else if (number != 0) {
        *p++ = 1 << 3;
        p = write_varint(p, number);
    }
    if (encoded != NULL) {
        *p++ = 2 << 3 | 2;
        p = write_varint(p, (uint64_t)PyBytes_GET_SIZE(encoded));
        memcpy(p, PyBytes_AS_STRING(encoded), (size_t)PyBytes_GET_SIZE(encoded));
        p += PyBytes_GET_SIZE(encoded);
    } else if (value != NULL && PyUnicode_GET_LENGTH(value) > 0) {
        *p++ = 2 << 3 | 2;
        p = write_text(p, value);
    }
    memcpy(p, rest, (size_t)rest_size);
    p += rest_size;
    uint8_t head[HEAD], *after = write_varint(write_tag(head, field), (uint64_t)(p - body));
    memcpy(body - (after - head), head, (size_t)(after - head));
    result = keep(run, message, plan, body - (after - head), p - body + (after - head), false);
done:
    PyMem_Free(whole);
    Py_XDECREF(encoded);
    return result;
}

static int read_pair(Run *run, PyObject *message, Plan *plan, Field *field, const uint8_t *p, const uint8_t *end,
                     Py_ssize_t depth)
{
    PyObject *key = NULL, *value = NULL;
    uint64_t number = 0;
    uint8_t *rest = NULL;
    Py_ssize_t rest_size = 0, size;
    const uint32_t key_tag = 1 << 3 | (field->key == K_STRING ? 2 : 0), value_tag = 2 << 3 | 2;
    int result = -1;
    while (p < end) {
        const uint8_t *start = p;
        uint32_t tag;
        if (read_tag(run, &p, end, &tag) < 0)
            goto done;
        if (tag != key_tag && tag != value_tag) {
            if (skip(run, tag, start, &p, end, depth) < 0 || spend(run, start, p) < 0)
                goto done;
            if (rest == NULL && (rest = PyMem_Malloc((size_t)(end - start))) == NULL) {
                PyErr_NoMemory();
                goto done;
            }
            memcpy(rest + rest_size, start, (size_t)(p - start));
            rest_size += p - start;
            continue;
        }
        if (tag == key_tag && field->key == K_UINT32) {
            if (read_varint(run, &p, end, &number) < 0)
                goto done;
            number &= UINT32_MAX;
            continue;
        }
        if (read_size(run, &p, end, &size) < 0)
            goto done;
        if (tag == value_tag && field->value == K_MESSAGE) {
            if (depth <= 0) {
                refuse(run, TOO_DEEP, start);
                goto done;
            }
            if (value == NULL && (value = new_message(field->message)) == NULL)
                goto done;
            if (merge(run, value, field->message, p, p + size, depth - 1) < 0)
                goto done;
        } else {
            PyObject *text = read_text(run, p, size);
            if (text == NULL)
                goto done;
            if (tag == key_tag)
                Py_XSETREF(key, text);
            else
                Py_XSETREF(value, text);
        }
        p += size;
    }
    if (rest != NULL) {
        result = keep_pair(run, message, plan, field, number, key, value, rest, rest_size);
        goto done;
    }
    if (key == NULL)
        key = field->key == K_STRING ? PyUnicode_New(0, 0) : PyLong_FromUnsignedLong((unsigned long)number);
    if (value == NULL)
        value = field->value == K_STRING ? PyUnicode_New(0, 0) : new_message(field->message);
    if (key != NULL && value != NULL) {
        PyObject *map = Py_XNewRef(*slot_at(message, field->offset));
        result = map != NULL && PyDict_CheckExact(map) ? PyDict_SetItem(map, key, value) : changed();
        Py_XDECREF(map);
    }
done:
    PyMem_Free(rest);
    Py_XDECREF(key);
    Py_XDECREF(value);
    return result;
}

static int append(PyObject *message, const Field *field, PyObject *value)
{
    PyObject *list = *slot_at(message, field->offset);
    return LIKELY(list != NULL && PyList_CheckExact(list)) ? PyList_Append(list, value) : changed();
}

static int read_message(Run *run, PyObject *message, Plan *plan, Field *field, const uint8_t *p, const uint8_t *end,
                        Py_ssize_t depth)
{
    PyObject *inner = *slot_at(message, field->offset);
    if (field->presence == P_REPEATED) {
        inner = new_message(field->message);
        if (inner == NULL)
            return -1;
        if (append(message, field, inner) < 0) {
            Py_DECREF(inner);
            return -1;
        }
    } else if (inner == Py_None) {
        inner = field->presence == P_ONEOF ? new_member(run, field->message) : new_message(field->message);
        if (UNLIKELY(inner == NULL))
            return -1;
        put(message, field->offset, Py_NewRef(inner));
        if (field->presence == P_ONEOF) {
            for (int i = 0; i < plan->members; i++) {
                Field *other = &plan->fields[plan->dynamic[i]];
                PyObject **place = slot_at(message, other->offset);
                PyObject *replaced = *place;
                if (other != field && UNLIKELY(replaced != Py_None) && replaced != NULL) {
                    *place = Py_NewRef(Py_None);
                    retire(run, replaced);
                    break; /* there is never more than one */
                }
            }
        }
    } else if (LIKELY(inner != NULL && Py_TYPE(inner) == field->message->cls)) {
        Py_INCREF(inner);
    } else {
        return changed();
    }
    int result = merge(run, inner, field->message, p, end, depth - 1);
    Py_DECREF(inner);
    return result;
}

/* Read everything up to ``end`` into the message; ``depth`` more levels may open below it. */
static int merge(Run *run, PyObject *message, Plan *plan, const uint8_t *p, const uint8_t *end, Py_ssize_t depth)
{
    const uint8_t *pending = NULL; /* where the current run of unknown fields starts */
    while (p < end) {
        const uint8_t *start = p;
        PyObject *value;
        Py_ssize_t size;
        uint64_t number;
        uint32_t tag;
        if (UNLIKELY(read_tag(run, &p, end, &tag) < 0))
            return -1;
        int index = tag < TAGS ? plan->by_tag[tag] : 0;
        if (UNLIKELY(index == 0)) {
            if (skip(run, tag, start, &p, end, depth) < 0 || spend(run, start, p) < 0)
                return -1;
            if (pending == NULL)
                pending = start;
            continue;
        }
        if (UNLIKELY(pending != NULL)) {
            if (keep(run, message, plan, pending, start - pending, true) < 0)
                return -1;
            pending = NULL;
        }
        Field *field = &plan->fields[index - 1];
        switch (field->kind) {
        case K_FLOAT: {
            float f;
            if (UNLIKELY(end - p < 4))
                return refuse(run, ENDS_IN_NUMBER, end);
            memcpy(&f, p, 4);
            p += 4;
            value = PyFloat_FromDouble((double)f);
            break;
        }
        case K_DOUBLE: {
            double d;
            if (UNLIKELY(end - p < 8))
                return refuse(run, ENDS_IN_NUMBER, end);
            memcpy(&d, p, 8);
            p += 8;
            value = PyFloat_FromDouble(d);
            break;
        }
        case K_BOOL:
            if (UNLIKELY(read_varint(run, &p, end, &number) < 0))
                return -1;
            value = Py_NewRef(number ? Py_True : Py_False);
            break;
        case K_UINT32:
            if (UNLIKELY(read_varint(run, &p, end, &number) < 0))
                return -1;
            value = PyLong_FromUnsignedLong((unsigned long)(uint32_t)number);
            break;
        case K_INT32:
            if (UNLIKELY(read_varint(run, &p, end, &number) < 0))
                return -1;
            value = PyLong_FromLong((int32_t)(uint32_t)number);
            break;
        case K_SINT32:
            if (UNLIKELY(read_varint(run, &p, end, &number) < 0))
                return -1;
            value = PyLong_FromLong((int32_t)((uint32_t)number >> 1 ^ (0u - ((uint32_t)number & 1))));
            break;
        case K_UINT64:
            if (UNLIKELY(read_varint(run, &p, end, &number) < 0))
                return -1;
            value = PyLong_FromUnsignedLongLong(number);
            break;
        case K_INT64:
            if (UNLIKELY(read_varint(run, &p, end, &number) < 0))
                return -1;
            value = PyLong_FromLongLong((int64_t)number);
            break;
        case K_ENUM:
            if (UNLIKELY(read_varint(run, &p, end, &number) < 0 ||
                         store_enum(run, message, plan, field, (int32_t)(uint32_t)number) < 0))
                return -1;
            continue;
        default:
            if (UNLIKELY(read_size(run, &p, end, &size) < 0))
                return -1;
            if (field->kind == K_STRING) {
                value = read_text(run, p, size);
            } else if (field->kind == K_BYTES) {
                value = PyBytes_FromStringAndSize((const char *)p, size);
            } else {
                if (UNLIKELY(depth <= 0))
                    return refuse(run, TOO_DEEP, start);
                if (field->kind == K_MESSAGE
                        ? UNLIKELY(read_message(run, message, plan, field, p, p + size, depth) < 0)
                        : read_pair(run, message, plan, field, p, p + size, depth - 1) < 0)
                    return -1;
                p += size;
                continue;
            }
            p += size;
            if (field->presence == P_REPEATED) {
                if (value == NULL)
                    return -1;
                int result = append(message, field, value);
                Py_DECREF(value);
                if (result < 0)
                    return -1;
                continue;
            }
        }
        if (UNLIKELY(value == NULL))
            return -1;
        put(message, field->offset, value);
    }
    return UNLIKELY(pending != NULL) ? keep(run, message, plan, pending, end - pending, true) : 0;
}

/* A whole message, or NULL with the run's reason or an exception. */
static PyObject *decode_run(Run *run, Plan *plan, Py_ssize_t size)
{
    if (UNLIKELY(size > run->bounds.packet_bytes)) {
        run->reason = TOO_LARGE;
        run->offset = run->bounds.packet_bytes;
        return NULL;
    }
    PyObject *message = new_message(plan);
    if (UNLIKELY(message == NULL))
        return NULL;
    int result = merge(run, message, plan, run->data, run->data + size, run->bounds.nesting);
    if (UNLIKELY(run->later != NULL)) {
        if (result == 0)
            result = settle(run);
        drop_later(run);
    }
    while (UNLIKELY(run->spares > 0))
        Py_DECREF(run->spare[--run->spares]);
    if (UNLIKELY(result < 0))
        Py_CLEAR(message);
    return message;
}

static void start_run(Run *run, const Bounds *bounds)
{
    run->bounds = *bounds;
    run->budget = bounds->unknown_bytes;
    run->reason = NO_REASON;
    run->later = NULL;
    run->later_count = run->later_room = 0;
    run->spares = 0;
}
