/* The module ``_events``; see events.h and _events.pyi. */
#include "events.h"

#include "wire.c"
#include "queue.c"

#ifndef SOURCE_HASH
#error "build it with build.py, which names the sources that it is made of"
#endif

/* --- items as Python objects */

static PyObject *text(const uint8_t *bytes, size_t size)
{
    return PyUnicode_DecodeUTF8((const char *)bytes, (Py_ssize_t)size, "replace");
}

static PyObject *packet(const Item *item)
{
    const uint8_t *sender = item->bytes + item->data, *topic = sender + item->sender;
    PyObject *who = item->sender > 0 ? text(sender, item->sender) : Py_NewRef(Py_None);
    PyObject *data = PyBytes_FromStringAndSize((const char *)item->bytes, (Py_ssize_t)item->data);
    PyObject *subject = text(topic, item->topic);
    PyObject *found = NULL;
    if (who != NULL && data != NULL && subject != NULL)
        found = PyTuple_Pack(4, who, data, item->reliable ? Py_True : Py_False, subject);
    Py_XDECREF(who);
    Py_XDECREF(data);
    Py_XDECREF(subject);
    return found;
}

static PyObject *object_of(const Item *item)
{
    switch (item->kind) {
    case DATA:
        return packet(item);
    case RAW:
        return PyBytes_FromStringAndSize((const char *)item->bytes, (Py_ssize_t)item->data);
    default:
        return PyLong_FromUnsignedLongLong(item->number);
    }
}

/* A chain as a list; the chain is freed.  ``only``: items of this kind, or all of them where it is negative. */
static PyObject *objects(Item *chain, int only)
{
    PyObject *found = PyList_New(0);
    for (Item *item = chain; found != NULL && item != NULL; item = item->next) {
        if (only >= 0 && (int)item->kind != only)
            continue;
        PyObject *object = object_of(item);
        if (object == NULL || PyList_Append(found, object) < 0)
            Py_CLEAR(found);
        Py_XDECREF(object);
    }
    free_chain(chain);
    return found;
}

/* --- Queue */

static PyObject *queue_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"limit", "wake_fd", NULL};
    Py_ssize_t limit;
    int wake_fd = -1;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "n|i:Queue", names, &limit, &wake_fd))
        return NULL;
    if (limit < 0) {
        PyErr_SetString(PyExc_ValueError, "a limit is not negative");
        return NULL;
    }
    /* Of our own, so that it can't be somebody else's after its owner has closed it. */
    if (wake_fd >= 0 && (wake_fd = fcntl(wake_fd, F_DUPFD_CLOEXEC, 0)) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Queue *self = (Queue *)type->tp_alloc(type, 0);
    if (self == NULL) {
        if (wake_fd >= 0)
            close(wake_fd);
        return NULL;
    }
    empty_list(&self->list);
    self->limit = (size_t)limit;
    self->wake_fd = wake_fd;
    self->open = true;
    pthread_mutex_lock(&S.lock);
    /* 1 is the number of whoever waits in Python. */
    self->number = S.next_number++ + 2;
    Queue **bucket = &S.by_number[self->number % BUCKETS];
    self->next_number = *bucket;
    *bucket = self;
    pthread_mutex_unlock(&S.lock);
    return (PyObject *)self;
}

static void leave_room(Queue *self)
{
    if (self->room == 0)
        return;
    Queue **place = &S.by_room[self->room % BUCKETS];
    while (*place != self)
        place = &(*place)->next_room;
    *place = self->next_room;
    self->room = 0;
}

static Tally *detach_tallies(Queue *self)
{
    Tally *tallies = self->tallies;
    self->tallies = NULL;
    self->tally_count = 0;
    return tallies;
}

/* Nothing comes in any more; gives what was there. */
static Item *shut(Queue *self)
{
    if (!self->open)
        return NULL;
    pthread_mutex_lock(&S.lock);
    self->open = false;
    leave_room(self);
    Queue **place = &S.by_number[self->number % BUCKETS];
    while (*place != self)
        place = &(*place)->next_number;
    *place = self->next_number;
    Item *left = detach(&self->list, SIZE_MAX);
    int wake_fd = self->wake_fd;
    self->wake_fd = -1;
    Tally *tallies = detach_tallies(self);
    pthread_mutex_unlock(&S.lock);
    free_tallies(tallies);
    if (wake_fd >= 0)
        close(wake_fd);
    return left;
}

static void queue_dealloc(Queue *self)
{
    PyTypeObject *type = Py_TYPE(self);
    free_chain(shut(self));
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *queue_attach(Queue *self, PyObject *argument)
{
    uint64_t room = PyLong_AsUnsignedLongLong(argument);
    if (room == (uint64_t)-1 && PyErr_Occurred())
        return NULL;
    pthread_mutex_lock(&S.lock);
    bool good = self->open && self->room == 0 && room != 0 && find_room(room) == NULL;
    if (good) {
        self->room = room;
        Queue **bucket = &S.by_room[room % BUCKETS];
        self->next_room = *bucket;
        *bucket = self;
    }
    pthread_mutex_unlock(&S.lock);
    if (!good) {
        PyErr_SetString(PyExc_ValueError, "one open queue is for one room");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *queue_take(Queue *self, PyObject *argument)
{
    Py_ssize_t most = PyLong_AsSsize_t(argument);
    if (most == -1 && PyErr_Occurred())
        return NULL;
    pthread_mutex_lock(&S.lock);
    self->armed = false;
    Item *chain = most > 0 ? detach(&self->list, (size_t)most) : NULL;
    pthread_mutex_unlock(&S.lock);
    return objects(chain, -1);
}

static PyObject *queue_close(Queue *self, PyObject *Py_UNUSED(ignored))
{
    return objects(shut(self), RAW);
}

static PyObject *queue_take_dropped(Queue *self, PyObject *Py_UNUSED(ignored))
{
    pthread_mutex_lock(&S.lock);
    uint64_t dropped = self->dropped;
    self->dropped = 0;
    pthread_mutex_unlock(&S.lock);
    return PyLong_FromUnsignedLongLong(dropped);
}

static PyObject *queue_take_foreign(Queue *self, PyObject *Py_UNUSED(ignored))
{
    pthread_mutex_lock(&S.lock);
    Tally *tallies = detach_tallies(self);
    pthread_mutex_unlock(&S.lock);
    PyObject *found = PyList_New(0);
    for (Tally *tally = tallies; found != NULL && tally != NULL; tally = tally->next) {
        PyObject *sender = tally->sender > 0 ? text(tally->identity, tally->sender) : Py_NewRef(Py_None);
        PyObject *one = sender == NULL ? NULL
                                       : Py_BuildValue("INKK", tally->what, sender, (unsigned long long)tally->count,
                                                       (unsigned long long)tally->bytes);
        if (one == NULL || PyList_Append(found, one) < 0)
            Py_CLEAR(found);
        Py_XDECREF(one);
    }
    free_tallies(tallies);
    return found;
}

static Py_ssize_t queue_length(Queue *self)
{
    pthread_mutex_lock(&S.lock);
    size_t count = self->list.count;
    pthread_mutex_unlock(&S.lock);
    return (Py_ssize_t)count;
}

static bool text_of(PyObject *object, const char **start, Py_ssize_t *size)
{
    if (!PyUnicode_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "addressees and topics are strings");
        return false;
    }
    return (*start = PyUnicode_AsUTF8AndSize(object, size)) != NULL;
}

/* publish(me, data, to, topic, reliable, token): see _events.pyi */
static PyObject *queue_publish(Queue *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 6 || !PyBytes_Check(args[1]) || !PyTuple_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError, "publish(me, data: bytes, to: tuple, topic, reliable, token)");
        return NULL;
    }
    uint64_t me = PyLong_AsUnsignedLongLong(args[0]), token = PyLong_AsUnsignedLongLong(args[5]);
    int reliable = PyObject_IsTrue(args[4]);
    const char *start;
    Py_ssize_t size;
    if (reliable < 0 || PyErr_Occurred() || !text_of(args[3], &start, &size))
        return NULL;
    size_t need = FIXED_ROOM + TEXT_ROOM + (size_t)size;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args[2]); i++) {
        if (!text_of(PyTuple_GET_ITEM(args[2], i), &start, &size))
            return NULL;
        need += TEXT_ROOM + (size_t)size;
    }
    if (token > ID_MASK || !S.started) {
        PyErr_SetString(PyExc_ValueError, token > ID_MASK ? "a token has 40 bits" : "the engine was not started");
        return NULL;
    }
    uint8_t small[512];
    uint8_t *buffer = need <= sizeof small ? small : PyMem_Malloc(need);
    if (buffer == NULL)
        return PyErr_NoMemory();
    uint8_t *at = buffer + HEAD_ROOM;
    at = write_value(at, F.publish_me, me);
    at = write_value(at, F.publish_address, (uint64_t)(uintptr_t)PyBytes_AS_STRING(args[1]));
    at = write_value(at, F.publish_length, (uint64_t)PyBytes_GET_SIZE(args[1]));
    at = write_value(at, F.publish_reliable, (uint64_t)reliable);
    at = write_value(at, F.publish_id, self->number << ID_BITS | token);
    text_of(args[3], &start, &size);
    if (size > 0)
        at = write_text(at, F.publish_topic, start, (size_t)size);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args[2]); i++) {
        text_of(PyTuple_GET_ITEM(args[2], i), &start, &size);
        at = write_text(at, F.publish_to, start, (size_t)size);
    }
    const uint8_t *begin = write_head(buffer, at, F.request_publish), *answer;
    size_t length;
    uint64_t handle;
    /* The engine copies the data before it answers; the caller holds it until then. */
    Py_BEGIN_ALLOW_THREADS
    handle = S.request(begin, (size_t)(at - begin), &answer, &length);
    if (handle != 0)
        S.drop(handle);
    Py_END_ALLOW_THREADS
    if (buffer != small)
        PyMem_Free(buffer);
    return PyBool_FromLong(handle != 0);
}

static PyObject *queue_number(Queue *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->number);
}

static PyMethodDef queue_methods[] = {
    {"attach", (PyCFunction)queue_attach, METH_O, "All events of this room come here from now on."},
    {"take", (PyCFunction)queue_take, METH_O, "The oldest items, at most so many; the next one that comes wakes."},
    {"close", (PyCFunction)queue_close, METH_NOARGS, "Nothing comes any more; gives the events that nobody took."},
    {"take_dropped", (PyCFunction)queue_take_dropped, METH_NOARGS, "How much the limit cost since last asked."},
    {"take_foreign", (PyCFunction)queue_take_foreign, METH_NOARGS, "What came that nobody reads, since last asked."},
    {"publish", (PyCFunction)(void (*)(void))queue_publish, METH_FASTCALL, "Send a packet; False: it was refused."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef queue_getset[] = {
    {"number", (getter)queue_number, NULL, "Which queue this is, for the ids of its requests.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot queue_slots[] = {
    {Py_tp_doc, "What came in for one room and was not taken yet."},
    {Py_tp_new, queue_new},
    {Py_tp_dealloc, queue_dealloc},
    {Py_tp_methods, queue_methods},
    {Py_tp_getset, queue_getset},
    {Py_sq_length, queue_length},
    {0, NULL},
};

static PyType_Spec queue_spec = {
    .name = "_events.Queue",
    .basicsize = sizeof(Queue),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = queue_slots,
};

/* --- the module */

/* start(field numbers by name, address of request, address of drop, readings of the news): once in a process. */
static PyObject *start(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *numbers, *readings;
    unsigned long long request, drop;
    if (!PyArg_ParseTuple(args, "O!KKO!:start", &PyDict_Type, &numbers, &request, &drop, &PyTuple_Type, &readings))
        return NULL;
    if (S.started) {
        PyErr_SetString(PyExc_RuntimeError, "the native callback has been started already");
        return NULL;
    }
#define X(name)                                                                                                        \
    {                                                                                                                  \
        PyObject *found = PyDict_GetItemString(numbers, #name);                                                        \
        unsigned long number = found == NULL ? 0 : PyLong_AsUnsignedLong(found);                                       \
        if (PyErr_Occurred())                                                                                          \
            return NULL;                                                                                               \
        if (found == NULL || number >= 1ul << 29) {                                                                    \
            PyErr_SetString(PyExc_ValueError, "no number for " #name);                                                 \
            return NULL;                                                                                               \
        }                                                                                                              \
        F.name = (uint32_t)number;                                                                                     \
    }
    FIELDS(X)
#undef X
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(readings); i++) {
        unsigned int kind, losable, what, sender, owned;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(readings, i), "IpIII;a reading", &kind, &losable, &what, &sender, &owned))
            return NULL;
        if (kind >= KINDS) {
            PyErr_SetString(PyExc_ValueError, "a kind of news with too large a number");
            return NULL;
        }
        R[kind] = (Reading){losable ? LOST_AT_THE_LIMIT : LET_GO, what, sender, owned};
    }
    if ((errno = pthread_atfork(before_fork, after_fork, after_fork_in_child)) != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    S.request = (RequestFunction)(uintptr_t)request;
    S.drop = (DropFunction)(uintptr_t)drop;
    empty_list(&S.general);
    S.started = true;
    return PyLong_FromUnsignedLongLong((uint64_t)(uintptr_t)on_event);
}

static PyObject *wait_general(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    Item *chain;
    if (!S.started)
        return PyList_New(0);
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&S.lock);
    while (S.general.count == 0 && !S.stopped)
        pthread_cond_wait(&S.filled, &S.lock);
    chain = detach(&S.general, SIZE_MAX);
    pthread_cond_broadcast(&S.emptied);
    pthread_mutex_unlock(&S.lock);
    Py_END_ALLOW_THREADS
    return objects(chain, -1);
}

static PyObject *stop(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    pthread_mutex_lock(&S.lock);
    S.stopped = true;
    pthread_cond_broadcast(&S.filled);
    pthread_cond_broadcast(&S.emptied);
    pthread_mutex_unlock(&S.lock);
    Py_RETURN_NONE;
}

static PyObject *refused_drops(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    pthread_mutex_lock(&S.lock);
    uint64_t count = S.refused_drops;
    pthread_mutex_unlock(&S.lock);
    return PyLong_FromUnsignedLongLong(count);
}

static PyMethodDef methods[] = {
    {"start", start, METH_VARARGS, "Be ready; gives the address of the callback."},
    {"wait", wait_general, METH_NOARGS, "Block until there is something for Python; an empty list: stopped."},
    {"stop", stop, METH_NOARGS, "Take nothing in any more, and let wait() return."},
    {"refused_drops", refused_drops, METH_NOARGS, "How many buffers the engine did not know when they were given back."},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "the native callback works in the main interpreter only");
        return -1;
    }
    PyObject *type = PyType_FromModuleAndSpec(module, &queue_spec, NULL);
    int failed = type == NULL || PyModule_AddType(module, (PyTypeObject *)type) < 0 ||
                 PyModule_AddStringConstant(module, "SOURCE_HASH", SOURCE_HASH) < 0;
    Py_XDECREF(type);
    return failed ? -1 : 0;
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
    PyModuleDef_HEAD_INIT, .m_name = "_events", .m_doc = "The native callback of the LiveKit engine.", .m_size = 0,
    .m_methods = methods, .m_slots = slots,
};

PyMODINIT_FUNC PyInit__events(void)
{
    return PyModuleDef_Init(&definition);
}
