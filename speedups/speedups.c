/* What ddb-cache-sync does for every record and every attribute value, compiled.

Rules:

1. Each function does what one in Python does, for what nearly all records are; for anything else, malformed input among
   it, it gives None, and Python does it from the beginning. So there are no errors here, and no rule stands here alone.
2. No borrowed reference is used after Python code may have run. So while a record or an item is read none does: only
   exact dict, list, str, int, float and bool are touched, and entries are walked and never looked up (a look-up
   compares keys, which may be anybody's objects). What is given back is held before the first object is made, since
   that may start the garbage collector, and so finalizers, up to Python 3.11.
3. Whatever can't be had (memory, UTF-8 of half a surrogate pair) is a None as well.
*/

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DONE = 0, NOT_MINE = 1 };

#define INTERFACE 1          /* one more for each change that ddb-cache-sync has to know of */
#define MAX_DEPTH 32         /* DynamoDB's limit on the depth of an item */
#define MAX_NUMBER 38        /* characters of a number that is written as it stands */
#define MAX_SEQUENCE 40      /* digits of a sequence number */
#define MAX_KEY_VALUE 64     /* bytes of a key attribute that is never shortened */
#define FEW 32               /* names or members that need no memory of their own */

/* A text: the UTF-8 of a str, which the str keeps. */
typedef struct {
    const char *at;
    Py_ssize_t size;
} Text;

static int text_of(PyObject *object, Text *text)
{
    if (!PyUnicode_CheckExact(object))
        return NOT_MINE;
    text->at = PyUnicode_AsUTF8AndSize(object, &text->size);
    if (text->at == NULL) {
        PyErr_Clear();
        return NOT_MINE;
    }
    return DONE;
}

static int is(Text text, const char *name)
{
    return strlen(name) == (size_t)text.size && memcmp(text.at, name, (size_t)text.size) == 0;
}

static int by_bytes(const Text *one, const Text *other)
{
    int order = memcmp(one->at, other->at, (size_t)(one->size < other->size ? one->size : other->size));
    return order ? order : (one->size > other->size) - (one->size < other->size);
}

/* ---- What is written --------------------------------------------------------------------------------------------- */

typedef struct {
    char *start, *at, *end;
    char first[4096]; /* most items need no more */
} Output;

static int room_for(Output *out, size_t more)
{
    if ((size_t)(out->end - out->at) >= more)
        return DONE;
    size_t used = (size_t)(out->at - out->start), size = 2 * (size_t)(out->end - out->start);
    if (more > SIZE_MAX / 4 || used > SIZE_MAX / 4)
        return NOT_MINE;
    while (size - used < more)
        size *= 2;
    int on_stack = out->start == out->first;
    char *larger = realloc(on_stack ? NULL : out->start, size);
    if (larger == NULL)
        return NOT_MINE;
    if (on_stack)
        memcpy(larger, out->first, used);
    out->start = larger;
    out->at = larger + used;
    out->end = larger + size;
    return DONE;
}

static int put(Output *out, const char *content, size_t size)
{
    if (room_for(out, size))
        return NOT_MINE;
    memcpy(out->at, content, size);
    out->at += size;
    return DONE;
}

static int put_one(Output *out, char content)
{
    return put(out, &content, 1);
}

/* What JSON escapes: quotation mark, backslash, and all below the space. */
static int is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte != '"' && byte != '\\';
}

static int put_string(Output *out, Text text)
{
    if ((size_t)text.size > (SIZE_MAX - 2) / 6 || room_for(out, 6 * (size_t)text.size + 2))
        return NOT_MINE;
    const char *from = text.at, *end = text.at + text.size;
    char *at = out->at;
    *at++ = '"';
    for (;;) {
        const char *plain = from;
        while (from < end && is_plain((unsigned char)*from))
            from++;
        memcpy(at, plain, (size_t)(from - plain));
        at += from - plain;
        if (from == end)
            break;
        unsigned char byte = (unsigned char)*from++;
        *at++ = '\\';
        switch (byte) {
        case '"':
        case '\\':
            *at++ = (char)byte;
            break;
        case '\b':
            *at++ = 'b';
            break;
        case '\t':
            *at++ = 't';
            break;
        case '\n':
            *at++ = 'n';
            break;
        case '\f':
            *at++ = 'f';
            break;
        case '\r':
            *at++ = 'r';
            break;
        default:
            memcpy(at, "u00", 3);
            at[3] = (char)('0' + (byte >> 4));
            at[4] = "0123456789abcdef"[byte & 15];
            at += 5;
        }
    }
    *at++ = '"';
    out->at = at;
    return DONE;
}

/* ---- Attribute values -------------------------------------------------------------------------------------------- */

static int put_content(Output *out, Text tag, PyObject *content, int depth);

/* Items were parsed long before, and memory is what the walk waits for: so it is asked for some objects at once. */
static void soon(const void *object)
{
#ifdef __GNUC__
    __builtin_prefetch(object);
    __builtin_prefetch((const char *)object + 64);
#else
    (void)object;
#endif
}

/* The one entry of an attribute value: its type's name and its content. */
static int tag_and_content(PyObject *value, Text *tag, PyObject **content)
{
    PyObject *name;
    Py_ssize_t position = 0;
    if (!PyDict_CheckExact(value) || PyDict_Size(value) != 1 || !PyDict_Next(value, &position, &name, content))
        return NOT_MINE;
    return text_of(name, tag);
}

static const char *after_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* N: written as it stands where it is JSON already, within every limit by its length alone. */
static int put_number(Output *out, PyObject *content)
{
    Text text;
    if (text_of(content, &text) || text.size > MAX_NUMBER)
        return NOT_MINE;
    const char *at = text.at, *end = text.at + text.size;
    at += at < end && *at == '-';
    const char *digits = at;
    at = after_digits(at, end);
    if (at == digits || (*digits == '0' && at > digits + 1))
        return NOT_MINE;
    if (at < end && *at == '.') {
        digits = ++at;
        at = after_digits(at, end);
        if (at == digits)
            return NOT_MINE;
    }
    return at == end ? put(out, text.at, (size_t)text.size) : NOT_MINE;
}

static int base64_digit(char character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    return character == '+' ? 62 : character == '/' ? 63 : -1;
}

/* B: written as it stands where it is the one base64 text of its bytes: whole groups, and no bit set that means none. */
static int put_binary(Output *out, PyObject *content)
{
    Text text;
    if (text_of(content, &text) || text.size % 4)
        return NOT_MINE;
    Py_ssize_t digits = text.size;
    while (digits > 0 && digits > text.size - 2 && text.at[digits - 1] == '=')
        digits--;
    for (Py_ssize_t place = 0; place < digits; place++)
        if (base64_digit(text.at[place]) < 0)
            return NOT_MINE;
    Py_ssize_t padding = text.size - digits;
    if (padding && base64_digit(text.at[digits - 1]) & (padding == 1 ? 3 : 15))
        return NOT_MINE;
    return put_string(out, text);
}

typedef struct {
    Text name, tag;
    PyObject *value, *content;
} Member;

static int by_name(const void *one, const void *other)
{
    return by_bytes(&((const Member *)one)->name, &((const Member *)other)->name);
}

static void sort(Member *members, Py_ssize_t count)
{
    if (count > FEW) {
        qsort(members, (size_t)count, sizeof *members, by_name);
        return;
    }
    for (Py_ssize_t place = 1; place < count; place++) {
        Member member = members[place];
        Py_ssize_t to = place;
        for (; to > 0 && by_name(&members[to - 1], &member) > 0; to--)
            members[to] = members[to - 1];
        members[to] = member;
    }
}

/* An item, or M: its members in the order of their names. */
static int put_members(Output *out, PyObject *object, int depth)
{
    if (!PyDict_CheckExact(object) || depth > MAX_DEPTH)
        return NOT_MINE;
    Py_ssize_t count = PyDict_Size(object), filled = 0, position = 0;
    Member few[FEW], *members = few;
    if (count > FEW && (members = calloc((size_t)count, sizeof *members)) == NULL)
        return NOT_MINE;
    int result = NOT_MINE;
    PyObject *name, *value;
    while (PyDict_Next(object, &position, &name, &value)) {
        if (filled == count || text_of(name, &members[filled].name))
            goto end;
        soon(value);
        members[filled++].value = value;
    }
    for (Py_ssize_t place = 0; place < filled; place++) {
        if (tag_and_content(members[place].value, &members[place].tag, &members[place].content))
            goto end;
        soon(members[place].content);
    }
    sort(members, filled);
    if (put_one(out, '{'))
        goto end;
    for (Py_ssize_t place = 0; place < filled; place++) {
        if ((place && put_one(out, ',')) || put_string(out, members[place].name) || put_one(out, ':') ||
            put_content(out, members[place].tag, members[place].content, depth))
            goto end;
    }
    result = put_one(out, '}');
end:
    if (members != few)
        free(members);
    return result;
}

/* SS: its members in order. */
static int put_texts(Output *out, PyObject *list)
{
    if (!PyList_CheckExact(list))
        return NOT_MINE;
    Py_ssize_t count = PyList_Size(list);
    Member few[FEW], *members = few;
    if (count > FEW && (members = calloc((size_t)count, sizeof *members)) == NULL)
        return NOT_MINE;
    int result = NOT_MINE;
    for (Py_ssize_t place = 0; place < count; place++)
        if (text_of(PyList_GetItem(list, place), &members[place].name))
            goto end;
    sort(members, count);
    if (put_one(out, '['))
        goto end;
    for (Py_ssize_t place = 0; place < count; place++)
        if ((place && put_one(out, ',')) || put_string(out, members[place].name))
            goto end;
    result = put_one(out, ']');
end:
    if (members != few)
        free(members);
    return result;
}

static int put_list(Output *out, PyObject *list, int depth)
{
    if (!PyList_CheckExact(list) || depth > MAX_DEPTH || put_one(out, '['))
        return NOT_MINE;
    Text tag;
    PyObject *content;
    Py_ssize_t count = PyList_Size(list);
    for (Py_ssize_t place = 0; place < count; place++)
        if ((place && put_one(out, ',')) || tag_and_content(PyList_GetItem(list, place), &tag, &content) ||
            put_content(out, tag, content, depth))
            return NOT_MINE;
    return put_one(out, ']');
}

static int put_content(Output *out, Text tag, PyObject *content, int depth)
{
    Text text;
    if (tag.size == 1)
        switch (*tag.at) {
        case 'S':
            return text_of(content, &text) || put_string(out, text);
        case 'N':
            return put_number(out, content);
        case 'B':
            return put_binary(out, content);
        case 'M':
            return put_members(out, content, depth + 1);
        case 'L':
            return put_list(out, content, depth + 1);
        default:
            return NOT_MINE;
        }
    if (is(tag, "BOOL") && content == Py_True)
        return put(out, "true", 4);
    if (is(tag, "BOOL") && content == Py_False)
        return put(out, "false", 5);
    if (is(tag, "NULL") && content == Py_True)
        return put(out, "null", 4);
    return is(tag, "SS") ? put_texts(out, content) : NOT_MINE;
}

PyDoc_STRVAR(item_json_doc, "item_json(wire, /)\n--\n\n"
                            "The JSON of an item in DynamoDB JSON, as `JsonEncoding` writes it; None: Python has to do it.");

static PyObject *item_json(PyObject *Py_UNUSED(module), PyObject *wire)
{
    Output out;
    out.start = out.at = out.first;
    out.end = out.first + sizeof out.first;
    PyObject *json = NULL;
    if (put_members(&out, wire, 0) == DONE)
        json = PyBytes_FromStringAndSize(out.start, out.at - out.start);
    else
        json = Py_NewRef(Py_None);
    if (out.start != out.first)
        free(out.start);
    return json;
}

/* ---- Records ----------------------------------------------------------------------------------------------------- */

typedef struct {
    PyObject *event_name, *arn, *user, *body;                         /* of the record */
    PyObject *keys, *new_image, *old_image, *number, *created, *view; /* of its body */
} Fields;

/* The value of one of these names goes to its place; others are passed over. Absent and null are the same: NULL. */
static int find(PyObject *object, const char *const *names, PyObject **const *places)
{
    if (object == NULL || !PyDict_CheckExact(object))
        return NOT_MINE;
    PyObject *name, *value;
    Py_ssize_t position = 0;
    Text text;
    while (PyDict_Next(object, &position, &name, &value)) {
        if (text_of(name, &text))
            return NOT_MINE;
        for (int place = 0; names[place] != NULL; place++)
            if (is(text, names[place])) {
                *places[place] = value == Py_None ? NULL : value;
                break;
            }
    }
    return DONE;
}

static int fields_of(PyObject *record, Fields *fields)
{
    static const char *const outer[] = {"eventName", "eventSourceARN", "userIdentity", "dynamodb", NULL};
    static const char *const inner[] = {"Keys",           "NewImage",       "OldImage",
                                        "SequenceNumber", "StreamViewType", "ApproximateCreationDateTime", NULL};
    memset(fields, 0, sizeof *fields);
    PyObject **const outer_places[] = {&fields->event_name, &fields->arn, &fields->user, &fields->body};
    PyObject **const inner_places[] = {&fields->keys,   &fields->new_image, &fields->old_image,
                                       &fields->number, &fields->view,      &fields->created};
    return find(record, outer, outer_places) || find(fields->body, inner, inner_places);
}

static int is_one_of(PyObject *object, const char *const *names)
{
    Text text;
    if (text_of(object, &text))
        return 0;
    while (*names != NULL)
        if (is(text, *names++))
            return 1;
    return 0;
}

/* When the change was made: a finite number. */
static int is_time(PyObject *created)
{
    if (!PyFloat_CheckExact(created) && !PyLong_CheckExact(created))
        return 0;
    double seconds = PyFloat_AsDouble(created);
    if (seconds == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
        return 0;
    }
    return isfinite(seconds);
}

/* Whether an image has what global tables of version 2017.11.29 add, which has to be left out. */
static int has_legacy_mark(PyObject *image)
{
    PyObject *name, *value;
    Py_ssize_t position = 0;
    Text text;
    while (PyDict_Next(image, &position, &name, &value))
        if (text_of(name, &text) || is(text, "aws:rep:updatetime"))
            return 1;
    return 0;
}

/* Length and digits of a sequence number, text that sorts; of one with leading zeros Python has to make it. */
static int sortable_digits(PyObject *number, char *sortable, size_t *size)
{
    Text text;
    if (text_of(number, &text) || text.size < 1 || text.size > MAX_SEQUENCE || *text.at == '0' ||
        after_digits(text.at, text.at + text.size) != text.at + text.size)
        return NOT_MINE;
    sortable[0] = (char)('0' + text.size / 10);
    sortable[1] = (char)('0' + text.size % 10);
    sortable[2] = ':';
    memcpy(sortable + 3, text.at, (size_t)text.size);
    *size = 3 + (size_t)text.size;
    return DONE;
}

/* The key attribute of this name: a short string of plain characters. */
static int key_value(PyObject *keys, PyObject *wanted, const char *plain, Text *found)
{
    Text name, other, tag;
    PyObject *key, *value, *content;
    Py_ssize_t position = 0;
    if (text_of(wanted, &name))
        return NOT_MINE;
    while (PyDict_Next(keys, &position, &key, &value)) {
        if (text_of(key, &other))
            return NOT_MINE;
        if (by_bytes(&name, &other) != 0)
            continue;
        if (tag_and_content(value, &tag, &content) || !is(tag, "S") || text_of(content, found) || found->size < 1 ||
            found->size > MAX_KEY_VALUE)
            return NOT_MINE;
        for (Py_ssize_t place = 0; place < found->size; place++)
            if (!plain[(unsigned char)found->at[place]])
                return NOT_MINE;
        return DONE;
    }
    return NOT_MINE;
}

/* The cache key: literals and key values in turn. */
static int put_key(Output *out, PyObject *keys, PyObject *literals, PyObject *names, const char *plain)
{
    Py_ssize_t count = PyTuple_Size(names);
    Text text;
    for (Py_ssize_t place = 0; place <= count; place++) {
        if (text_of(PyTuple_GetItem(literals, place), &text) || put(out, text.at, (size_t)text.size))
            return NOT_MINE;
        if (place < count && (key_value(keys, PyTuple_GetItem(names, place), plain, &text) ||
                              put(out, text.at, (size_t)text.size)))
            return NOT_MINE;
    }
    return DONE;
}

PyDoc_STRVAR(straight_doc,
             "straight(literals, names, attributes, plain, record, /)\n--\n\n"
             "A record's ARN, sortable digits, cache key, image (None: removed) and time; None: Python has to do it.\n\n"
             "The template's literals and names in turn, how many key attributes there are, and 256 bytes that say\n"
             "which bytes of a value can be put into a key as they are.");

static PyObject *straight(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    static const char *const events[] = {"INSERT", "MODIFY", "REMOVE", NULL};
    static const char *const views[] = {"KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", NULL};
    char *plain;
    Py_ssize_t size, attributes;
    if (count != 5 || !PyTuple_CheckExact(given[0]) || !PyTuple_CheckExact(given[1]) || !PyLong_CheckExact(given[2]) ||
        !PyBytes_CheckExact(given[3]) || PyBytes_AsStringAndSize(given[3], &plain, &size) < 0 || size != 256 ||
        PyTuple_Size(given[0]) != PyTuple_Size(given[1]) + 1 || (attributes = PyLong_AsSsize_t(given[2])) < 1) {
        PyErr_Clear();
        PyErr_SetString(PyExc_TypeError, "straight(literals, names, attributes, plain, record)");
        return NULL;
    }
    Fields of;
    char digits[3 + MAX_SEQUENCE];
    size_t digits_size;
    Text event;
    if (fields_of(given[4], &of) || of.user != NULL || of.event_name == NULL || of.arn == NULL || of.number == NULL ||
        of.keys == NULL || !PyUnicode_CheckExact(of.arn) || !is_one_of(of.event_name, events) ||
        (of.view != NULL && !is_one_of(of.view, views)) || (of.created != NULL && !is_time(of.created)) ||
        (of.old_image != NULL && !PyDict_CheckExact(of.old_image)) ||
        (of.new_image != NULL && (!PyDict_CheckExact(of.new_image) || has_legacy_mark(of.new_image))) ||
        !PyDict_CheckExact(of.keys) || PyDict_Size(of.keys) != attributes ||
        sortable_digits(of.number, digits, &digits_size) || text_of(of.event_name, &event))
        Py_RETURN_NONE;
    int removed = is(event, "REMOVE");
    if (!removed && of.new_image == NULL)
        Py_RETURN_NONE;

    PyObject *arn = Py_NewRef(of.arn), *image = Py_NewRef(removed ? Py_None : of.new_image),
             *created = Py_NewRef(of.created == NULL ? Py_None : of.created);
    Output key;
    key.start = key.at = key.first;
    key.end = key.first + sizeof key.first;
    PyObject *result = NULL;
    if (put_key(&key, of.keys, given[0], given[1], plain)) {
        result = Py_NewRef(Py_None);
    } else {
        PyObject *sortable = PyUnicode_FromStringAndSize(digits, (Py_ssize_t)digits_size);
        PyObject *cache_key = PyUnicode_FromStringAndSize(key.start, key.at - key.start);
        if (sortable != NULL && cache_key != NULL)
            result = PyTuple_Pack(5, arn, sortable, cache_key, image, created);
        Py_XDECREF(sortable);
        Py_XDECREF(cache_key);
    }
    Py_DECREF(arn);
    Py_DECREF(image);
    Py_DECREF(created);
    if (key.start != key.first)
        free(key.start);
    return result;
}

/* ---- The module -------------------------------------------------------------------------------------------------- */

static PyMethodDef functions[] = {
    {"item_json", item_json, METH_O, item_json_doc},
    {"straight", (PyCFunction)(void (*)(void))straight, METH_FASTCALL, straight_doc},
    {NULL, NULL, 0, NULL},
};

static int fill(PyObject *module)
{
    return PyModule_AddIntConstant(module, "INTERFACE", INTERFACE);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "ddb_cache_sync_speedups",
    .m_doc = "The hot path of ddb-cache-sync, compiled.",
    .m_size = 0,
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_ddb_cache_sync_speedups(void)
{
    return PyModuleDef_Init(&definition);
}
