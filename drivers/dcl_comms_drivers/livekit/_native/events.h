/* The native callback of the LiveKit engine: what comes in on the engine's threads waits here, without Python's lock,
 * until the thread of its loop takes it.
 *
 * Each room has a Queue.  A packet for it is copied and its buffer given back to the engine right in the callback; an
 * acknowledgement becomes a number; other events of the room wait as bytes, or are only tallied where nobody reads them.
 * Whatever has no Queue of its own waits in the general queue, which a Python thread serves.
 *
 * One mutex guards everything.  It is held for a few memory copies, never while Python's lock is waited for, and never
 * while the engine is called. */
#ifndef EVENTS_H
#define EVENTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A request's id is the number of the Queue that its answer goes to, and below it 40 bits of that Queue's choice. */
#define ID_BITS 40
#define ID_MASK ((UINT64_C(1) << ID_BITS) - 1)

#define FIELDS(X)                                                                                                      \
    X(event_room) X(event_publish) X(room_handle) X(room_data) X(data_kind) X(data_sender) X(data_user) X(data_dtmf)   \
    X(user_data) X(user_topic) X(owned_handle) X(owned_data) X(handle_id) X(buffer_address) X(buffer_length)           \
    X(answer_id) X(answer_error) X(request_publish) X(publish_me) X(publish_address) X(publish_length)                 \
    X(publish_reliable) X(publish_topic) X(publish_to) X(publish_id) X(kind_reliable)

/* Field numbers of the installed wheel's messages, and one value of an enum. */
typedef struct {
#define X(name) uint32_t name;
    FIELDS(X)
#undef X
} Fields;

static Fields F;

/* What becomes of a room's news of one kind, by its field's number: it waits for Python; or it waits while the Queue has
 * room for it; or nobody reads it, so it is let go here, and tallied by its sender where `what` is not 0. */
typedef enum { KEPT, LOST_AT_THE_LIMIT, LET_GO } Action;

typedef struct {
    Action action;
    uint32_t what;   /* a number of Python's; 0: not tallied */
    uint32_t sender; /* the field of the sender's identity; 0: there is none */
    uint32_t owned;  /* the field with the handle that has to be given back; 0: there is none */
} Reading;

#define KINDS 256

static Reading R[KINDS];

#endif
