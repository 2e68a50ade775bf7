/* Enum members without a name: what a number that the schema doesn't know becomes. */

/* As betterproto2's ``_missing_`` makes one, in a tenth of the time.  can_be_direct() proves that it still does. */
static PyObject *direct_member(PyTypeObject *type, PyObject *number)
{
    PyObject *args = PyTuple_Pack(1, number);
    if (args == NULL)
        return NULL;
    PyObject *member = PyLong_Type.tp_new(type, args, NULL);
    Py_DECREF(args);
    if (member != NULL && (PyObject_SetAttr(member, S.underscore_value, number) < 0 ||
                           PyObject_SetAttr(member, S.underscore_name, S.empty) < 0))
        Py_CLEAR(member);
    return member;
}

static PyObject *unnamed_member(const Enum *enumeration, PyObject *number)
{
    if (enumeration->direct)
        return direct_member(enumeration->type, number);
    return PyObject_CallOneArg((PyObject *)enumeration->type, number);
}

/* 1 if a member made here is like one made by the class, 0 if not, -1 on an exception. */
static int can_be_direct(PyTypeObject *type)
{
    PyObject *number = PyLong_FromLong(-0x7654321), *ours = NULL, *theirs = NULL, *mine = NULL, *yours = NULL;
    int result = -1;
    if (number != NULL && (ours = direct_member(type, number)) != NULL &&
        (theirs = PyObject_CallOneArg((PyObject *)type, number)) != NULL &&
        (mine = PyObject_GenericGetDict(ours, NULL)) != NULL &&
        (yours = PyObject_GenericGetDict(theirs, NULL)) != NULL &&
        (result = PyObject_RichCompareBool(mine, yours, Py_EQ)) == 1)
        result = Py_TYPE(theirs) == type ? PyObject_RichCompareBool(ours, theirs, Py_EQ) : 0;
    Py_XDECREF(number);
    Py_XDECREF(ours);
    Py_XDECREF(theirs);
    Py_XDECREF(mine);
    Py_XDECREF(yours);
    return result;
}
