/* Queues, and the callback that fills them. */
#include "events.h"

typedef enum { RAW, DATA, DONE, WAKE } ItemKind;

typedef struct Item {
    struct Item *next;
    ItemKind kind;
    bool reliable;
    uint64_t number; /* DONE: what our request said below ID_BITS; WAKE: which Queue */
    size_t data, sender, topic;
    uint8_t bytes[]; /* data, sender, topic */
} Item;

typedef struct {
    Item *first, **last;
    size_t count, bytes;
} List;

/* What nobody reads, of one sender and one kind, since Python last asked. */
typedef struct Tally {
    struct Tally *next;
    uint32_t what;
    uint64_t count, bytes;
    size_t sender;
    uint8_t identity[];
} Tally;

typedef struct Queue {
    PyObject_HEAD
    uint64_t number, room;
    struct Queue *next_number, *next_room;
    List list;
    size_t limit; /* of bytes; what can be done without is dropped beyond it, and counted */
    uint64_t dropped;
    Tally *tallies;
    size_t tally_count;
    int wake_fd;
    bool armed; /* the reader was woken and has not looked since */
    bool open;
} Queue;

#define BUCKETS 256
#define GENERAL_LIMIT (16u << 20)
#define TALLIES 256 /* of one Queue; further senders share one of each kind */
#define SENDER_MAX 1024 /* bytes of a longer identity are not kept: it shares that one too */

typedef uint64_t (*RequestFunction)(const uint8_t *, size_t, const uint8_t **, size_t *);
typedef bool (*DropFunction)(uint64_t);

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied; /* the general queue */
    bool started, stopped;
    RequestFunction request;
    DropFunction drop;
    Queue *by_number[BUCKETS], *by_room[BUCKETS];
    uint64_t next_number;
    List general;
    uint64_t refused_drops;
} S = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER, .emptied = PTHREAD_COND_INITIALIZER};

static void empty_list(List *list)
{
    *list = (List){.last = &list->first};
}

static size_t item_size(const Item *item)
{
    return sizeof(Item) + item->data + item->sender + item->topic;
}

static Item *new_item(ItemKind kind, Span data, Span sender, Span topic)
{
    size_t sizes[] = {(size_t)(data.end - data.at), (size_t)(sender.end - sender.at), (size_t)(topic.end - topic.at)};
    Item *item = malloc(sizeof(Item) + sizes[0] + sizes[1] + sizes[2]);
    if (item == NULL)
        return NULL;
    *item = (Item){.kind = kind, .data = sizes[0], .sender = sizes[1], .topic = sizes[2]};
    uint8_t *to = item->bytes;
    const Span *spans[] = {&data, &sender, &topic};
    for (int i = 0; i < 3; i++)
        if (sizes[i] > 0) {
            memcpy(to, spans[i]->at, sizes[i]);
            to += sizes[i];
        }
    return item;
}

static void append(List *list, Item *item)
{
    *list->last = item;
    list->last = &item->next;
    list->count++;
    list->bytes += item_size(item);
}

/* The first items of a list, at most so many, as a chain. */
static Item *detach(List *list, size_t most)
{
    Item *first = list->first, **end = &list->first;
    while (*end != NULL && most-- > 0) {
        list->count--;
        list->bytes -= item_size(*end);
        end = &(*end)->next;
    }
    if (end == &list->first)
        return NULL;
    list->first = *end;
    *end = NULL;
    if (list->first == NULL)
        list->last = &list->first;
    return first;
}

static void free_chain(Item *item)
{
    while (item != NULL) {
        Item *next = item->next;
        free(item);
        item = next;
    }
}

static Queue *find_number(uint64_t number)
{
    Queue *found = S.by_number[number % BUCKETS];
    while (found != NULL && found->number != number)
        found = found->next_number;
    return found;
}

static Queue *find_room(uint64_t room)
{
    Queue *found = S.by_room[room % BUCKETS];
    while (found != NULL && found->room != room)
        found = found->next_room;
    return found;
}

static void free_tallies(Tally *tally)
{
    while (tally != NULL) {
        Tally *next = tally->next;
        free(tally);
        tally = next;
    }
}

/* --- with the lock held */

static Tally *find_tally(Queue *queue, uint32_t what, Span sender)
{
    size_t size = (size_t)(sender.end - sender.at);
    for (Tally *tally = queue->tallies; tally != NULL; tally = tally->next)
        if (tally->what == what && tally->sender == size && (size == 0 || memcmp(tally->identity, sender.at, size) == 0))
            return tally;
    return NULL;
}

static void tally(Queue *queue, const Event *event)
{
    Span sender = event->sender, nobody = {NULL, NULL};
    Tally *found = find_tally(queue, event->what, sender);
    if (found == NULL && (queue->tally_count >= TALLIES || sender.end - sender.at > SENDER_MAX)) {
        sender = nobody;
        found = find_tally(queue, event->what, sender);
    }
    if (found == NULL) {
        size_t size = (size_t)(sender.end - sender.at);
        if ((found = malloc(sizeof(Tally) + size)) == NULL)
            return;
        *found = (Tally){.next = queue->tallies, .what = event->what, .sender = size};
        if (size > 0)
            memcpy(found->identity, sender.at, size);
        queue->tallies = found;
        queue->tally_count++;
    }
    found->count++;
    found->bytes += (uint64_t)(event->data.end - event->data.at);
}

static void put_general(Item *item)
{
    append(&S.general, item);
    pthread_cond_signal(&S.filled);
}

static bool has_room(const Queue *queue, Span data, Span sender, Span topic)
{
    size_t size = sizeof(Item) + (size_t)(data.end - data.at) + (size_t)(sender.end - sender.at) +
                  (size_t)(topic.end - topic.at);
    return queue->list.bytes + size <= queue->limit;
}

/* Wake the reader of a Queue, once until it has looked. */
static void wake(Queue *queue)
{
    if (queue->armed)
        return;
    static const uint64_t one = 1;
    if (queue->wake_fd >= 0) {
        /* What can't be written because it is full can be read, which is all that is wanted. */
        ssize_t written;
        do
            written = write(queue->wake_fd, &one, sizeof one);
        while (written < 0 && errno == EINTR);
        queue->armed = true;
        return;
    }
    Span nothing = {NULL, NULL};
    Item *item = new_item(WAKE, nothing, nothing, nothing);
    if (item != NULL) {
        item->number = queue->number;
        put_general(item);
        queue->armed = true;
    }
}

/* Gives whether a handle is to be given back. */
static bool put_own(Queue *queue, const Event *event, Span message)
{
    Span nothing = {NULL, NULL};
    Item *item = NULL;
    switch (event->kind) {
    case FOREIGN:
        if (event->what != 0) {
            tally(queue, event);
            wake(queue);
        }
        return event->handle != 0;
    case PACKET:
        if (has_room(queue, event->data, event->sender, event->topic))
            item = new_item(DATA, event->data, event->sender, event->topic);
        if (item == NULL)
            queue->dropped++;
        else
            item->reliable = event->reliable;
        break;
    case ANSWER:
        item = new_item(DONE, nothing, nothing, nothing);
        if (item != NULL)
            item->number = event->id & ID_MASK;
        break;
    case LOSABLE:
        if (has_room(queue, message, nothing, nothing))
            item = new_item(RAW, message, nothing, nothing);
        if (item == NULL)
            queue->dropped++;
        break;
    default:
        item = new_item(RAW, message, nothing, nothing);
    }
    if (item != NULL)
        append(&queue->list, item);
    wake(queue);
    return event->kind == PACKET;
}

/* --- what the engine calls, on any of its threads */

static void on_event(const uint8_t *data, size_t length)
{
    Span message = {data, data + length}, nothing = {NULL, NULL};
    Event event;
    read_event(message, &event);
    bool give_back = false;
    pthread_mutex_lock(&S.lock);
    Queue *queue = event.kind == OTHER     ? NULL
                   : event.kind >= ANSWER ? find_number(event.id >> ID_BITS)
                                          : find_room(event.room);
    if (S.stopped) {
        /* The interpreter is going, or this is a forked child. */
    } else if (queue != NULL) {
        give_back = put_own(queue, &event, message);
    } else {
        /* Everybody's: as with a callback in Python, the engine's thread waits where Python does not come after. */
        while (S.general.bytes > GENERAL_LIMIT && !S.stopped)
            pthread_cond_wait(&S.emptied, &S.lock);
        Item *item = S.stopped ? NULL : new_item(RAW, message, nothing, nothing);
        if (item != NULL)
            put_general(item);
    }
    pthread_mutex_unlock(&S.lock);
    if (give_back && !S.drop(event.handle)) {
        pthread_mutex_lock(&S.lock);
        S.refused_drops++;
        pthread_mutex_unlock(&S.lock);
    }
}

/* --- forks: the child has none of the engine's threads, and a mutex that nobody holds */

static void before_fork(void)
{
    pthread_mutex_lock(&S.lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&S.lock);
}

static void after_fork_in_child(void)
{
    pthread_mutex_init(&S.lock, NULL);
    pthread_cond_init(&S.filled, NULL);
    pthread_cond_init(&S.emptied, NULL);
    S.stopped = true;
}
