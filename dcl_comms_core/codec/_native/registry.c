/* Registration: plans from the tables of the Python codec, with every assumption about the classes verified. */

static int mismatch(const char *text, PyObject *about)
{
    PyErr_Format(PyExc_ValueError, "%s: %R", text, about);
    return -1;
}

static const char *const KINDS[] = {
    [K_BOOL] = "bool", [K_BYTES] = "bytes", [K_DOUBLE] = "double", [K_ENUM] = "enum", [K_FLOAT] = "float",
    [K_INT32] = "int32", [K_INT64] = "int64", [K_MAP] = "map", [K_MESSAGE] = "message", [K_SINT32] = "sint32",
    [K_STRING] = "string", [K_UINT32] = "uint32", [K_UINT64] = "uint64",
};
static const char *const PRESENCES[] = {
    [P_IMPLICIT] = "implicit", [P_EXPLICIT] = "explicit", [P_ONEOF] = "oneof", [P_REPEATED] = "repeated", [P_MAP] = "map",
};

static int word(PyObject *text, const char *const *words, size_t count)
{
    for (size_t i = 0; PyUnicode_Check(text) && i < count; i++)
        if (PyUnicode_CompareWithASCIIString(text, words[i]) == 0)
            return (int)i;
    return mismatch("not a word of the tables", text);
}

/* The offset of a slot, from its descriptor; -1 if it is anything else. */
static Py_ssize_t slot_of(PyTypeObject *cls, PyObject *name)
{
    PyObject *descriptor = PyObject_GetAttr((PyObject *)cls, name);
    Py_ssize_t offset = -1;
    if (descriptor == NULL)
        return -1;
    if (Py_TYPE(descriptor) == &PyMemberDescr_Type) {
        const PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
        if (member->type == Py_T_OBJECT_EX && member->flags == 0 && member->offset >= (Py_ssize_t)sizeof(PyObject) &&
            member->offset % (Py_ssize_t)sizeof(PyObject *) == 0 &&
            member->offset + (Py_ssize_t)sizeof(PyObject *) <= cls->tp_basicsize)
            offset = member->offset;
    }
    Py_DECREF(descriptor);
    if (offset < 0)
        mismatch("a field is not a slot", name);
    return offset;
}

/* A value stored by name is found at the offset, and one stored there is read by name. */
static int verify_slot(PyObject *message, PyObject *name, Py_ssize_t offset)
{
    PyObject *marker = PyList_New(0), *held = Py_XNewRef(*slot_at(message, offset)), *seen = NULL;
    int result = -1;
    if (marker == NULL || held == NULL || PyObject_SetAttr(message, name, marker) < 0)
        goto done;
    if (*slot_at(message, offset) != marker)
        goto done;
    put(message, offset, Py_NewRef(held));
    seen = PyObject_GetAttr(message, name);
    result = seen == held ? 0 : -1;
done:
    Py_XDECREF(marker);
    Py_XDECREF(held);
    Py_XDECREF(seen);
    if (result < 0 && !PyErr_Occurred())
        mismatch("a slot is not where it should be", name);
    return result;
}

static Enum *build_enum(PyObject *type)
{
    if (!PyType_Check(type) || !PyType_IsSubtype((PyTypeObject *)type, &PyLong_Type)) {
        mismatch("not an enum", type);
        return NULL;
    }
    Enum *enumeration = PyMem_Calloc(1, sizeof *enumeration);
    PyObject *members = PySequence_List(type);
    if (enumeration == NULL || members == NULL)
        return NULL;
    enumeration->type = (PyTypeObject *)Py_NewRef(type);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(members); i++) {
        PyObject *member = PyList_GET_ITEM(members, i);
        long number = PyLong_AsLong(member);
        if (number < 0 || number >= MEMBERS || Py_TYPE(member) != enumeration->type) {
            PyErr_Clear();
            mismatch("an enum member that has no place", member);
            Py_DECREF(members);
            return NULL;
        }
        enumeration->members[number] = Py_NewRef(member);
    }
    Py_DECREF(members);
    int direct = can_be_direct(enumeration->type);
    enumeration->direct = direct == 1;
    return direct < 0 ? NULL : enumeration;
}

static Plan *plan_by_class(PyObject *cls)
{
    for (Py_ssize_t i = 0; i < S.plan_count; i++)
        if ((PyObject *)S.plans[i].cls == cls)
            return &S.plans[i];
    mismatch("not a class of the tables", cls);
    return NULL;
}

/* row: Field(name, number, type, presence, message, enum, group, key, value) */
static int build_field(Plan *plan, Field *field, PyObject *row)
{
    static const int8_t wire[] = {[K_DOUBLE] = 1, [K_FLOAT] = 5, [K_STRING] = 2, [K_BYTES] = 2, [K_MESSAGE] = 2,
                                  [K_MAP] = 2, [K_UINT64] = 0};
    static const int8_t widths[] = {[K_BOOL] = 1, [K_DOUBLE] = 8, [K_FLOAT] = 4, [K_UINT32] = 5, [K_SINT32] = 5, [K_INT32] = 10,
                                    [K_ENUM] = 10, [K_INT64] = 10, [K_UINT64] = 10, [K_STRING] = 0};
    int kind, presence, half;
    if (!PyTuple_Check(row) || PyTuple_GET_SIZE(row) != 9)
        return mismatch("not a field", row);
    if ((kind = word(PyTuple_GET_ITEM(row, 2), KINDS, COUNT(KINDS))) < 0 ||
        (presence = word(PyTuple_GET_ITEM(row, 3), PRESENCES, COUNT(PRESENCES))) < 0)
        return -1;
    long number = PyLong_AsLong(PyTuple_GET_ITEM(row, 1));
    if (number < 1 || (number << 3 | 7) >= TAGS)
        return mismatch("a field number that is too large", row);
    field->name = Py_NewRef(PyTuple_GET_ITEM(row, 0));
    PyUnicode_InternInPlace(&field->name);
    field->kind = (uint8_t)kind;
    field->presence = (uint8_t)presence;
    field->tag = (uint32_t)number << 3 | (uint32_t)wire[kind];
    field->tag_size = (uint8_t)(write_varint(field->tag_bytes, field->tag) - field->tag_bytes);
    field->offset = slot_of(plan->cls, field->name);
    if (field->offset < 0)
        return -1;
    if (kind == K_ENUM && (field->enumeration = build_enum(PyTuple_GET_ITEM(row, 5))) == NULL)
        return -1;
    if (PyTuple_GET_ITEM(row, 4) != Py_None && (field->message = plan_by_class(PyTuple_GET_ITEM(row, 4))) == NULL)
        return -1;
    if ((kind == K_MAP) != (presence == P_MAP) || (presence == P_ONEOF && kind != K_MESSAGE) ||
        (presence == P_REPEATED && kind != K_STRING && kind != K_MESSAGE) || (kind == K_MESSAGE && field->message == NULL))
        return mismatch("a field that the native codec has no code for", row);
    if (kind == K_MAP) {
        for (int i = 7; i < 9; i++) {
            if ((half = word(PyTuple_GET_ITEM(row, i), KINDS, COUNT(KINDS))) < 0)
                return -1;
            *(i == 7 ? &field->key : &field->value) = (uint8_t)half;
        }
        if ((field->key != K_UINT32 && field->key != K_STRING) ||
            (field->value != K_STRING && !(field->value == K_MESSAGE && field->message != NULL)))
            return mismatch("a map that the native codec has no code for", row);
    }
    if (kind == K_MAP || kind == K_MESSAGE || kind == K_STRING || kind == K_BYTES || presence == P_REPEATED)
        plan->dynamic_count++;
    else
        plan->static_bound += field->tag_size + widths[kind];
    plan->members += presence == P_ONEOF;
    return 0;
}

/* Where the slots are, and what an empty message holds in them. */
static int build_block(Plan *plan, PyObject *message)
{
    Py_ssize_t first = plan->unknown, last = plan->unknown;
    for (int i = 0; i < plan->count; i++) {
        Field *field = &plan->fields[i];
        first = field->offset < first ? field->offset : first;
        last = field->offset > last ? field->offset : last;
        if (verify_slot(message, field->name, field->offset) < 0)
            return -1;
    }
    plan->block = first;
    plan->block_size = last - first + (Py_ssize_t)sizeof(PyObject *);
    if (plan->block_size != (plan->count + 1) * (Py_ssize_t)sizeof(PyObject *))
        return mismatch("the slots are not one block", (PyObject *)plan->cls);
    plan->defaults = PyMem_Calloc(1, (size_t)plan->block_size);
    if (plan->defaults == NULL)
        return -1;
    for (int i = 0; i <= plan->count; i++) {
        Field *field = i < plan->count ? &plan->fields[i] : NULL;
        Py_ssize_t offset = field != NULL ? field->offset : plan->unknown;
        PyObject *absent = *slot_at(message, offset);
        if (field != NULL && field->presence >= P_REPEATED) {
            plan->containers++;
            if (field->presence == P_MAP ? !PyDict_CheckExact(absent) : !PyList_CheckExact(absent))
                return mismatch("an empty field that is not a list or a dict", field->name);
            continue;
        }
        if (field != NULL && (field->presence == P_IMPLICIT) != (absent != Py_None))
            return mismatch("an empty field that is not as the tables say", field->name);
        if (field != NULL)
            field->absent = Py_NewRef(absent);
        plan->defaults[(offset - first) / (Py_ssize_t)sizeof(PyObject *)] = Py_NewRef(absent);
        int at = 0;
        while (at < plan->shared_count && plan->shared[at].object != absent)
            at++;
        if (at == DISTINCT)
            return mismatch("too many defaults", (PyObject *)plan->cls);
        plan->shared_count += at == plan->shared_count;
        plan->shared[at].object = absent;
        plan->shared[at].times++;
    }
    return 0;
}

/* table: MessageTable(cls, full_name, fields); order: the constructor's arguments */
static int build_plan(Plan *plan, PyObject *table, PyObject *order, PyObject *underscore_unknown)
{
    PyObject *rows = PyTuple_GET_ITEM(table, 2);
    if (PyTuple_GET_SIZE(rows) >= LARGEST_BLOCK)
        return mismatch("too many fields", table);
    plan->count = (uint8_t)PyTuple_GET_SIZE(rows);
    plan->fields = PyMem_Calloc(plan->count + 1u, sizeof *plan->fields);
    plan->dynamic = PyMem_Calloc(plan->count + 1u, 1);
    plan->arguments = PyMem_Calloc(plan->count + 1u, 1);
    plan->places = PyMem_Calloc(plan->count + 1u, 1);
    if (plan->fields == NULL || plan->dynamic == NULL || plan->arguments == NULL || plan->places == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    plan->unknown = slot_of(plan->cls, underscore_unknown);
    if (plan->unknown < 0)
        return -1;
    for (int i = 0; i < plan->count; i++) {
        if (build_field(plan, &plan->fields[i], PyTuple_GET_ITEM(rows, i)) < 0)
            return -1;
        plan->by_tag[plan->fields[i].tag] = (uint8_t)(i + 1);
        size_t at = hash_name(plan->fields[i].name);
        while (plan->by_name[at] != 0)
            at = (at + 1) % NAMES;
        plan->by_name[at] = (uint8_t)(i + 1);
    }
    for (int i = 0, members = 0, others = plan->members; i < plan->count; i++) {
        const Field *field = &plan->fields[i];
        if (field->presence == P_ONEOF)
            plan->dynamic[members++] = (uint8_t)i;
        else if (field->kind == K_MAP || field->kind == K_MESSAGE || field->kind == K_STRING || field->kind == K_BYTES)
            plan->dynamic[others++] = (uint8_t)i;
    }
    if (!PyTuple_Check(order) || PyTuple_GET_SIZE(order) != plan->count)
        return mismatch("not the constructor's arguments", order);
    for (int i = 0; i < plan->count; i++) {
        int at = 0;
        while (at < plan->count && PyUnicode_Compare(plan->fields[at].name, PyTuple_GET_ITEM(order, i)) != 0)
            at++;
        if (at == plan->count)
            return mismatch("not the constructor's arguments", order);
        plan->arguments[i] = (uint8_t)at;
        plan->places[at] = (uint8_t)i;
    }
    PyObject *message = PyObject_CallNoArgs((PyObject *)plan->cls);
    if (message == NULL)
        return -1;
    int result = verify_slot(message, underscore_unknown, plan->unknown);
    if (result == 0)
        result = build_block(plan, message);
    Py_DECREF(message);
    return result;
}

/* How deep messages nest; the recursion of decoder and encoder. */
static int height(const Plan *plan, int deepest)
{
    int most = 0;
    if (deepest == 0)
        return 1;
    for (int i = 0; i < plan->count; i++) {
        if (plan->fields[i].message != NULL) {
            int found = 1 + height(plan->fields[i].message, deepest - 1);
            most = found > most ? found : most;
        }
        if (plan->fields[i].kind == K_MAP && plan->fields[i].message != NULL)
            for (int j = 0; j < plan->fields[i].message->count; j++) /* keep_pair() settles only one message */
                if (plan->fields[i].message->fields[j].message != NULL ||
                    plan->fields[i].message->fields[j].kind == K_ENUM)
                    return deepest + 1;
    }
    return most;
}

enum { DEEPEST = 16 };

static int build_plans(PyObject *tables, PyObject *orders)
{
    PyObject *underscore_unknown = PyUnicode_InternFromString("_unknown_fields");
    int result = -1;
    S.plan_count = PyTuple_GET_SIZE(tables);
    S.plans = PyMem_Calloc((size_t)S.plan_count + 1, sizeof *S.plans);
    if (S.plans == NULL || underscore_unknown == NULL || S.plan_count > HASHED / 2 ||
        PyTuple_GET_SIZE(orders) != S.plan_count) {
        mismatch("tables of an unexpected size", orders);
        goto done;
    }
    for (Py_ssize_t i = 0; i < S.plan_count; i++) {
        PyObject *table = PyTuple_GET_ITEM(tables, i);
        if (!PyTuple_Check(table) || PyTuple_GET_SIZE(table) != 3 || !PyType_Check(PyTuple_GET_ITEM(table, 0)) ||
            !PyTuple_Check(PyTuple_GET_ITEM(table, 2))) {
            mismatch("not a table", table);
            goto done;
        }
        S.plans[i].cls = (PyTypeObject *)Py_NewRef(PyTuple_GET_ITEM(table, 0));
    }
    for (Py_ssize_t i = 0; i < S.plan_count; i++)
        if (build_plan(&S.plans[i], PyTuple_GET_ITEM(tables, i), PyTuple_GET_ITEM(orders, i), underscore_unknown) < 0)
            goto done;
    for (Py_ssize_t i = 0; i < S.plan_count; i++) {
        if (height(&S.plans[i], DEEPEST) > DEEPEST - 1) {
            mismatch("messages nest too deeply for the native codec", (PyObject *)S.plans[i].cls);
            goto done;
        }
        size_t at = ((uintptr_t)S.plans[i].cls >> 4) * 0x9E3779B97F4A7C15u >> 56;
        while (S.hashed[at] != NULL)
            at = (at + 1) % HASHED;
        S.hashed[at] = &S.plans[i];
    }
    result = 0;
done:
    Py_XDECREF(underscore_unknown);
    return result;
}

/* Peek(kind, 100) for each member of a Packet's oneof, and for none. */
static int build_peeks(void)
{
    for (int i = -1; i < S.packet->members; i++) {
        const Field *field = i < 0 ? NULL : &S.packet->fields[S.packet->dynamic[i]];
        PyObject *kind = field == NULL ? Py_None : field->name;
        PyObject *peeked = PyObject_CallFunction(S.peek_type, "Oi", kind, 100);
        if (peeked == NULL)
            return -1;
        S.peeks[field == NULL ? 0 : field->tag] = peeked;
        if (!PyTuple_Check(peeked) || PyTuple_GET_SIZE(peeked) != 2)
            return mismatch("not a pair", peeked);
    }
    return 0;
}

static const Field *member_named(const char *name)
{
    for (int i = 0; S.packet != NULL && i < S.packet->members; i++) {
        const Field *field = &S.packet->fields[S.packet->dynamic[i]];
        if (PyUnicode_CompareWithASCIIString(field->name, name) == 0)
            return field;
    }
    PyErr_Format(PyExc_ValueError, "Packet has no member %s", name);
    return NULL;
}
