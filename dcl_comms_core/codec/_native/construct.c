/* The classes' constructor as a vectorcall: CPython 3.12 and newer call it for ``Position(...)``.
 *
 * It does what the generated __init__ does: store the arguments, or the default.  A call that isn't of that form goes
 * the usual way, which raises the usual errors; subclasses always do, as they don't inherit this. */

#if PY_VERSION_HEX >= 0x030C0000

static PyObject *construct_slowly(PyObject *type, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *result = NULL, *keywords = NULL, *positional = PyTuple_New(nargs);
    if (positional == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < nargs; i++)
        PyTuple_SET_ITEM(positional, i, Py_NewRef(args[i]));
    Py_ssize_t count = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    if (count > 0 && (keywords = PyDict_New()) == NULL)
        goto done;
    for (Py_ssize_t i = 0; i < count; i++)
        if (PyDict_SetItem(keywords, PyTuple_GET_ITEM(kwnames, i), args[nargs + i]) < 0)
            goto done;
    result = PyType_Type.tp_call(type, positional, keywords);
done:
    Py_XDECREF(keywords);
    Py_DECREF(positional);
    return result;
}

static PyObject *construct(PyObject *type, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    Plan *plan = plan_of((PyTypeObject *)type);
    Py_ssize_t nargs = PyVectorcall_NARGS(nargsf), count = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    if (UNLIKELY(plan == NULL || nargs > plan->count))
        return construct_slowly(type, args, nargs, kwnames);
    PyObject *message = new_message(plan);
    if (UNLIKELY(message == NULL))
        return NULL;
    for (Py_ssize_t i = 0; i < nargs + count; i++) {
        const Field *field = i < nargs ? &plan->fields[plan->arguments[i]]
                                       : field_named(plan, PyTuple_GET_ITEM(kwnames, i - nargs));
        if (UNLIKELY(field == NULL || (i >= nargs && nargs > 0 && plan->places[field - plan->fields] < nargs))) {
            Py_DECREF(message);
            return construct_slowly(type, args, nargs, kwnames);
        }
        if (field->absent == NULL && args[i] == Py_None)
            continue; /* a list or dict of its own */
        PyObject **slot = slot_at(message, field->offset);
        Py_SETREF(*slot, Py_NewRef(args[i]));
    }
    return message;
}

#endif
