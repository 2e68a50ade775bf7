/* The little of protobuf that the three hot messages need. */
#include "events.h"

typedef struct {
    const uint8_t *at, *end;
} Span;

typedef struct {
    uint32_t number;
    uint32_t wire;
    uint64_t value; /* of wire type 0 */
    Span span;      /* of wire type 2 */
} Part;

static bool read_varint(Span *from, uint64_t *value)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64 && from->at < from->end; shift += 7) {
        uint8_t byte = *from->at++;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = result;
            return true;
        }
    }
    return false;
}

/* The next field: 1; 0 at the end, -1 where it can't be read. */
static int read_part(Span *from, Part *part)
{
    if (from->at == from->end)
        return 0;
    uint64_t tag, length;
    if (!read_varint(from, &tag))
        return -1;
    part->number = (uint32_t)(tag >> 3);
    part->wire = (uint32_t)tag & 7;
    size_t left = (size_t)(from->end - from->at);
    switch (part->wire) {
    case 0:
        return read_varint(from, &part->value) ? 1 : -1;
    case 1:
    case 5:
        length = part->wire == 1 ? 8 : 4;
        break;
    case 2:
        if (!read_varint(from, &length))
            return -1;
        left = (size_t)(from->end - from->at);
        break;
    default:
        return -1;
    }
    if (length > left)
        return -1;
    part->span = (Span){from->at, from->at + length};
    from->at += length;
    return 1;
}

/* Take one field of a message, by wire type; false where the message can't be read.  What is not there stays. */
static bool find_span(Span message, uint32_t number, Span *found)
{
    Part part = {.value = 0};
    int state;
    while ((state = read_part(&message, &part)) > 0)
        if (part.number == number && part.wire == 2)
            *found = part.span;
    return state == 0;
}

static bool find_value(Span message, uint32_t number, uint64_t *found)
{
    Part part = {.value = 0};
    int state;
    while ((state = read_part(&message, &part)) > 0)
        if (part.number == number && part.wire == 0)
            *found = part.value;
    return state == 0;
}

typedef enum { OTHER, OF_ROOM, LOSABLE, FOREIGN, PACKET, ANSWER, FAILURE } EventKind;

typedef struct {
    EventKind kind;
    uint32_t what;   /* FOREIGN: see Reading */
    uint64_t room;   /* OF_ROOM to PACKET: its handle */
    uint64_t id;     /* ANSWER, FAILURE: to a publish request */
    uint64_t handle; /* PACKET: of the buffer, FOREIGN: of a reader, to be given back; 0: there is none */
    Span data, sender, topic;
    bool reliable;
} Event;

/* data_packet_received; false where it is not the usual user packet, and Python is to look at it. */
static bool read_packet(Span message, Event *event)
{
    uint64_t kind = UINT64_MAX, address = 0, length = UINT64_MAX;
    Span user = {NULL, NULL}, owned = user, handle = user, buffer = user;
    bool good = find_value(message, F.data_kind, &kind) && find_span(message, F.data_sender, &event->sender) &&
                find_span(message, F.data_user, &user) && user.at != NULL && find_span(user, F.user_data, &owned) &&
                find_span(user, F.user_topic, &event->topic) && owned.at != NULL &&
                find_span(owned, F.owned_handle, &handle) && find_span(owned, F.owned_data, &buffer) &&
                handle.at != NULL && buffer.at != NULL && find_value(handle, F.handle_id, &event->handle) &&
                find_value(buffer, F.buffer_address, &address) && find_value(buffer, F.buffer_length, &length) &&
                event->handle != 0 && length <= UINT32_MAX && (address != 0 || length == 0) && kind != UINT64_MAX;
    if (!good)
        return false;
    const uint8_t *start = (const uint8_t *)(uintptr_t)address;
    event->data = (Span){start, length == 0 ? start : start + length};
    event->reliable = kind == F.kind_reliable;
    return true;
}

/* News that is not simply kept.  Where it can't be read it stays OF_ROOM. */
static void read_news(Part news, Event *event)
{
    Reading reading = news.number < KINDS ? R[news.number] : (Reading){.action = KEPT};
    Span message = news.span;
    Span owned = {NULL, NULL}, handle = owned, sender = owned;
    uint64_t id = 0;
    if (reading.action == KEPT)
        return;
    if (reading.owned != 0 &&
        !(find_span(message, reading.owned, &owned) && owned.at != NULL &&
          find_span(owned, F.owned_handle, &handle) && handle.at != NULL && find_value(handle, F.handle_id, &id)))
        return;
    if (reading.sender != 0 && !find_span(message, reading.sender, &sender))
        return;
    event->kind = reading.action == LOST_AT_THE_LIMIT ? LOSABLE : FOREIGN;
    event->what = reading.what;
    event->sender = sender;
    event->handle = id;
    event->data = message;
}

/* What an event is, as far as it matters here.  Anything unexpected is OTHER or OF_ROOM: Python reads it. */
static void read_event(Span message, Event *event)
{
    *event = (Event){.kind = OTHER};
    Part part = {.value = 0};
    if (read_part(&message, &part) != 1 || part.wire != 2 || message.at != message.end)
        return;
    if (part.number == F.event_publish) {
        Span error = {NULL, NULL};
        if (find_value(part.span, F.answer_id, &event->id) && find_span(part.span, F.answer_error, &error))
            event->kind = error.at == NULL ? ANSWER : FAILURE;
        return;
    }
    if (part.number != F.event_room)
        return;
    Part of_room = {.value = 0}, news = of_room;
    bool has_room = false;
    int state;
    for (Span rest = part.span; (state = read_part(&rest, &of_room)) > 0;)
        if (of_room.wire == 2) {
            news = of_room;
        } else if (of_room.number == F.room_handle && of_room.wire == 0) {
            event->room = of_room.value;
            has_room = true;
        }
    if (state < 0 || !has_room)
        return;
    event->kind = OF_ROOM;
    if (news.number == F.room_data) {
        Span dtmf = {NULL, NULL};
        if (read_packet(news.span, event))
            event->kind = PACKET;
        else if (find_span(news.span, F.data_dtmf, &dtmf) && dtmf.at != NULL)
            read_news(news, event);
    } else {
        read_news(news, event);
    }
}

/* --- the publish request */

#define VARINT_MAX 10

static uint8_t *write_varint(uint8_t *to, uint64_t value)
{
    while (value > 0x7f) {
        *to++ = (uint8_t)value | 0x80;
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

static uint8_t *write_value(uint8_t *to, uint32_t number, uint64_t value)
{
    return write_varint(write_varint(to, (uint64_t)number << 3), value);
}

static uint8_t *write_text(uint8_t *to, uint32_t number, const char *text, size_t length)
{
    to = write_varint(write_varint(to, (uint64_t)number << 3 | 2), length);
    memcpy(to, text, length);
    return to + length;
}

#define TEXT_ROOM (2 * VARINT_MAX) /* the most that a text takes beside its own bytes */
#define HEAD_ROOM (2 * VARINT_MAX) /* in front of a message: its tag and length */
#define FIXED_ROOM (HEAD_ROOM + 5 * 2 * VARINT_MAX)

/* Put tag and length in front of a message that begins HEAD_ROOM into a buffer; gives where the whole begins. */
static uint8_t *write_head(uint8_t *buffer, const uint8_t *end, uint32_t number)
{
    uint8_t head[HEAD_ROOM];
    uint8_t *body = buffer + HEAD_ROOM;
    uint8_t *stop = write_varint(write_varint(head, (uint64_t)number << 3 | 2), (uint64_t)(end - body));
    size_t size = (size_t)(stop - head);
    memcpy(body - size, head, size);
    return body - size;
}
