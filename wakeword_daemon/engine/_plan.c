/* The plan of a stream, as plan.py packs it: where its parts lie, and whether it can be one. */

#include "_step.h"

size_t lay_out(Stream *s, const void *plan, size_t length, size_t parts[5])
{
    const int32_t *head = plan;
    const Front *f = plan;
    size_t integers = sizeof *f / 4, points, at;
    if (length < integers || f->words < 1 || f->words > 1024 || f->mels < 1 || f->mels > 1024)
        return 0;
    integers += (size_t)f->words * sizeof(Shape) / 4;
    at = ROUND_UP(integers + 2 * (size_t)f->mels, 16);
    if (length < at)
        return 0;
    for (size_t i = 0; i < integers; i++)
        if (head[i] < 1 || head[i] > 1024)
            return 0;
    s->front = f;
    s->shapes = (const Shape *)(f + 1);
    s->filters = (const Filter *)(s->shapes + f->words);
    if (f->window % 2 || f->window > MOST_WINDOW || f->hop > f->window
        || f->stride_frames > f->kernel_frames)
        return 0;
    s->tables = (const float *)plan + at;
    at += (size_t)f->window + 2;
    s->twiddles = (const float *)plan + at;
    for (points = (size_t)f->window / 2; points > 1;) {
        size_t radix = (size_t)next_radix((int)points);
        if (!radix)
            return 0;
        points /= radix;
        at += (points - 1) * (radix - 1) * 2;
    }
    s->turns = (const float *)plan + at;
    at += 2 * ((size_t)f->window / 4 + 1);
    s->triangles = (const float *)plan + at;
    for (int mel = 0; mel < f->mels; mel++) {
        Filter one = s->filters[mel];
        if (one.first < 0 || one.first > f->window || one.bins < 0
            || one.bins > f->window / 2 + 1 - one.first)
            return 0;
        at += (size_t)one.bins;
    }
    at = ROUND_UP(at, 16);
    s->weights = (const float *)plan + at;
    size_t states = 0, room = 0, outputs = 0;
    for (int word = 0; word < f->words; word++) {
        const Shape *a = s->shapes + word;
        size_t hidden = (size_t)a->hidden, gates = ROUND_UP(3 * hidden, TILE);
        size_t inputs = (size_t)a->bands * (size_t)a->channels;
        size_t several = a->outputs > 1, last = several ? (size_t)a->outputs : (size_t)a->attention;
        size_t inner = ROUND_UP(last, TILE);
        size_t numbers = inputs * gates + hidden * gates + (size_t)(a->layers - 1) * 2 * hidden * gates
                         + hidden * inner;
        if (a->channels % BLOCK || a->hidden % BLOCK || (a->weight_size != 2 && a->weight_size != 4)
            || (a->bands - 1) * a->stride_mels + a->kernel_mels > f->mels)
            return 0;
        at += (size_t)a->kernel_mels * (size_t)f->kernel_frames * (size_t)a->channels
              + numbers * (size_t)a->weight_size / 4 + (size_t)a->layers * 2 * gates + inner;
        if (!several)
            at += inner + hidden + BLOCK;
        states += (size_t)a->layers * hidden + ROUND_UP(2 * (size_t)a->steps, BLOCK);
        outputs += several ? inner : 1;
        size_t wanted = inputs + (2 * gates > inner ? 2 * gates : inner);
        room = wanted > room ? wanted : room;
    }
    parts[0] = ROUND_UP((size_t)(f->window + (f->stride_frames - 1) * f->hop), 32) / 2;
    parts[1] = ROUND_UP((size_t)f->mels * (size_t)f->kernel_frames, 16);
    parts[2] = ROUND_UP(states, 16);
    parts[3] = ROUND_UP(room, 16);
    parts[4] = ROUND_UP(outputs, 16);
    return at;
}
