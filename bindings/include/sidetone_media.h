/* The media port of Sidetone: sound between an app's audio threads and a client.
 *
 * Sound is mono, 48 kHz, 16 bit in the machine's byte order. A client's number is `RawClient.sound()`; after the client
 * is closed it reaches nobody. Push and pull neither wait nor allocate: they may be called from real-time threads, one at a
 * time each. Lengths are in bytes, even, and at most 96,000 (a second). */
#ifndef SIDETONE_MEDIA_H
#define SIDETONE_MEDIA_H

#include <stdint.h>

#define SIDETONE_MEDIA_CLOSED (-1) /* no client has this number, or it is closed */
#define SIDETONE_MEDIA_LENGTH (-2) /* the length is odd, or more than a second */
#define SIDETONE_MEDIA_NULL (-3)   /* the pointer is null */
#define SIDETONE_MEDIA_BUSY (-4)   /* another thread is in the same function for the same client */
#define SIDETONE_MEDIA_FAULT (-5)  /* a fault inside the library */

/* Gives sound from the microphone; says how many bytes were taken: 0 without a call, less than all when 200 ms wait. */
int32_t sidetone_media_push(uint64_t client, const uint8_t *pcm, uint32_t bytes);

/* Gives sound to a voice note (`RawNote.sound()`); says how many bytes were taken: all, or 0 once it is as long as one may
 * be. It encodes: for a recording thread, not for a real-time one. */
int32_t sidetone_media_note(uint64_t note, const uint8_t *pcm, uint32_t bytes);

/* Fills all of `pcm` with what the speaker shall play; says how many bytes of it are sound, the rest is silence. */
int32_t sidetone_media_pull(uint64_t client, uint8_t *pcm, uint32_t bytes);

#endif
