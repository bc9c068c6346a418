// Reads what an object keeps in its slots, and in its `__dict__`.

#pragma once

#include "reference.hpp"

#include <Python.h>
#include <structmember.h>

// Whether a descriptor is that of a slot in all instances of this very type.
inline bool is_slot_of(PyTypeObject *type, PyObject *descriptor) {
    return Py_IS_TYPE(descriptor, &PyMemberDescr_Type)
        && PyType_IsSubtype(type, PyDescr_TYPE(descriptor));
}

inline const PyMemberDef &member_of(PyObject *slot) {
    return *reinterpret_cast<PyMemberDescrObject *>(slot)->d_member;
}

// Return what is in a slot, borrowed; NULL if nothing is, or something that is no object.
inline PyObject *in_slot(PyObject *row, PyObject *slot) {
    const PyMemberDef &member = member_of(slot);
    if (member.type != T_OBJECT_EX) return nullptr;
    return *reinterpret_cast<PyObject **>(reinterpret_cast<char *>(row) + member.offset);
}

// Return a dict, or the `__dict__` of an object; NULL if there is none, with the error set if there
// should be.
inline Reference dict_of(PyObject *row) {
    if (PyDict_CheckExact(row)) return Reference(Py_NewRef(row));
    const bool has_dict = Py_TYPE(row)->tp_dictoffset != 0;
    return Reference(has_dict ? PyObject_GenericGetDict(row, nullptr) : nullptr);
}
