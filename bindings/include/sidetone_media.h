/* The media port of Sidetone: sound between an app's audio threads and a client, and the encoded pictures of its calls and rooms.
 *
 * Sound is mono, 48 kHz, 16 bit in the machine's byte order. A client's number is `RawClient.sound()`; after the client
 * is closed it reaches nobody. Push and pull of sound neither wait nor allocate: they may be called from real-time threads,
 * one at a time each. Lengths are in bytes; those of sound are even, and at most 96,000 (a second). */
#ifndef SIDETONE_MEDIA_H
#define SIDETONE_MEDIA_H

#include <stdint.h>

#define SIDETONE_MEDIA_CLOSED (-1)    /* no client has this number, or it is closed */
#define SIDETONE_MEDIA_LENGTH (-2)    /* sound: the length is odd, or more than a second; a frame: 0, or more than 1 MiB */
#define SIDETONE_MEDIA_NULL (-3)      /* a pointer is null */
#define SIDETONE_MEDIA_BUSY (-4)      /* another thread is in the same function for the same client and source */
#define SIDETONE_MEDIA_FAULT (-5)     /* a fault inside the library */
#define SIDETONE_MEDIA_NO_CALL (-6)   /* there is no call in which both can speak, or we are not in this room */
#define SIDETONE_MEDIA_NOT_SHOWN (-7) /* this source is not shown */
#define SIDETONE_MEDIA_NEEDS_KEY (-8) /* a key frame is needed first */
#define SIDETONE_MEDIA_CODEC (-9)     /* another codec than the one before, without a key frame */
#define SIDETONE_MEDIA_TIME (-10)     /* captured before the frame before it, or more than a minute after it */
#define SIDETONE_MEDIA_HEAD (-11)     /* the head makes no sense */
#define SIDETONE_MEDIA_SHORT (-12)    /* the buffer is too small: the head says what is needed, and the frame waits */

#define SIDETONE_MEDIA_QUEUED 1  /* the frame leaves when the path bears it */
#define SIDETONE_MEDIA_DROPPED 0 /* more than the path bears: nothing goes before the next key frame, which is due now */

#define SIDETONE_FRAME_BYTES 1048576 /* the largest encoded frame */

/* What is known of an encoded frame. The library never looks into the frame itself. */
typedef struct sidetone_frame {
    uint64_t captured_us; /* by the capturing phone's clock, from any origin, below 2^56 */
    uint32_t bytes;       /* how long the encoded frame is */
    uint16_t width;       /* in pixels, before turning; not 0 */
    uint16_t height;
    uint8_t source;   /* 0 camera, 1 screen */
    uint8_t codec;    /* 1 H.264 (Annex B), 2 H.265 (Annex B), 3 VP8, 4 VP9, 5 AV1 */
    uint8_t key;      /* 1 if it can be decoded without those before it, else 0 */
    uint8_t rotation; /* quarter turns clockwise until it is upright, 0 to 3 */
    uint8_t layer;    /* as the encoder counts, 0 to 15 */
    uint8_t unused[3];
} sidetone_frame;

/* Gives sound from the microphone; says how many bytes were taken: 0 without a call, less than all when 200 ms wait. */
int32_t sidetone_media_push(uint64_t client, const uint8_t *pcm, uint32_t bytes);

/* Gives sound to a voice note (`RawNote.sound()`); says how many bytes were taken: all, or 0 once it is as long as one may
 * be. It encodes: for a recording thread, not for a real-time one. */
int32_t sidetone_media_note(uint64_t note, const uint8_t *pcm, uint32_t bytes);

/* Fills all of `pcm` with what the speaker shall play; says how many bytes of it are sound, the rest is silence. */
int32_t sidetone_media_pull(uint64_t client, uint8_t *pcm, uint32_t bytes);

/* Gives an encoded frame of `frame->bytes` bytes; says what became of it. It seals: for the encoder's thread, one at a time
 * for each source. */
int32_t sidetone_media_frame_push(uint64_t client, const sidetone_frame *frame, const uint8_t *encoded);

/* Takes the next frame of the other side whose time has come; says how many bytes it has, 0 if there is none. The head is
 * filled, also for SIDETONE_MEDIA_SHORT. `RawClient.frames()` waits for one. */
int32_t sidetone_media_frame_next(uint64_t client, sidetone_frame *frame, uint8_t *encoded, uint32_t capacity);

/* The same of a room, by the 16 bytes of its id: a frame goes to everybody who watches, and comes from `member`, whose 16
 * bytes are filled as the head is. `RawClient.room_frames()` waits for one. */
int32_t sidetone_media_room_push(uint64_t client, const uint8_t *room, const sidetone_frame *frame, const uint8_t *encoded);
int32_t sidetone_media_room_next(uint64_t client, const uint8_t *room, sidetone_frame *frame, uint8_t *member, uint8_t *encoded,
                                 uint32_t capacity);

#endif
