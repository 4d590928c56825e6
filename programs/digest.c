/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * digest [-s] FILE...: like sha1sum, but quick on an emulated processor, where busybox's sha1sum
 * does 8 MB/s: general registers only, all rounds unrolled, 64 kB a read. With -s a cheap sum in
 * place of SHA-1, for checking transfers only: eight lanes of multiply and rotate over 64-bit
 * words. (Static as it is, the same binary runs on the host, which computes the other half.)
 */
#pragma GCC optimize("no-tree-vectorize")
#include <endian.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536

static inline uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

/* FIPS 180-4, 6.1.2: w is the message schedule, kept as a ring of 16 words. */
#define CHOOSE(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define PARITY(b, c, d) ((b) ^ (c) ^ (d))
#define MAJORITY(b, c, d) (((b) & (c)) | ((d) & ((b) | (c))))
#define FIRST(t) (w[t] = be32toh(block[t]))
#define NEXT(t)                                                                                    \
    (w[(t)&15] = rotate(w[((t) + 13) & 15] ^ w[((t) + 8) & 15] ^ w[((t) + 2) & 15] ^ w[(t)&15], 1))
#define ROUND(a, b, c, d, e, f, k, word)                                                           \
    (e += rotate(a, 5) + f(b, c, d) + k + (word), b = rotate(b, 30))
#define FIVE(f, k, W, t)                                                                           \
    (ROUND(a, b, c, d, e, f, k, W(t)), ROUND(e, a, b, c, d, f, k, W((t) + 1)),                     \
     ROUND(d, e, a, b, c, f, k, W((t) + 2)), ROUND(c, d, e, a, b, f, k, W((t) + 3)),               \
     ROUND(b, c, d, e, a, f, k, W((t) + 4)))
#define TWENTY(f, k, t)                                                                            \
    (FIVE(f, k, NEXT, t), FIVE(f, k, NEXT, (t) + 5), FIVE(f, k, NEXT, (t) + 10),                   \
     FIVE(f, k, NEXT, (t) + 15))

static void sha1_block(uint32_t state[5], const uint32_t block[16])
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], w[16];

    FIVE(CHOOSE, 0x5a827999, FIRST, 0);
    FIVE(CHOOSE, 0x5a827999, FIRST, 5);
    FIVE(CHOOSE, 0x5a827999, FIRST, 10);
    ROUND(a, b, c, d, e, CHOOSE, 0x5a827999, FIRST(15));
    ROUND(e, a, b, c, d, CHOOSE, 0x5a827999, NEXT(16));
    ROUND(d, e, a, b, c, CHOOSE, 0x5a827999, NEXT(17));
    ROUND(c, d, e, a, b, CHOOSE, 0x5a827999, NEXT(18));
    ROUND(b, c, d, e, a, CHOOSE, 0x5a827999, NEXT(19));
    TWENTY(PARITY, 0x6ed9eba1, 20);
    TWENTY(MAJORITY, 0x8f1bbcdc, 40);
    TWENTY(PARITY, 0xca62c1d6, 60);
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* Reads until the buffer is full or the file ends; -1: error. */
static ssize_t read_chunk(int file, char *buffer)
{
    size_t have = 0;
    ssize_t n = 1;

    while (have < CHUNK && n > 0) {
        n = read(file, buffer + have, CHUNK - have);
        if (n > 0)
            have += (size_t)n;
    }
    return n < 0 ? -1 : (ssize_t)have;
}

static union {
    char bytes[CHUNK + 128];
    uint32_t words[CHUNK / 4 + 32];
    uint64_t long_words[CHUNK / 8 + 16];
} buffer;

static int sha1(int file, char *text)
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint64_t total = 0, bits;
    ssize_t n;

    do {
        size_t length;

        n = read_chunk(file, buffer.bytes);
        if (n < 0)
            return -1;
        length = (size_t)n;
        total += length;
        if (length < CHUNK) { /* the last: a one bit, zeros, the length */
            size_t padded = (length + 9 + 63) & ~63ul;

            memset(buffer.bytes + length, 0, padded - length);
            buffer.bytes[length] = (char)0x80;
            bits = htobe64(total * 8);
            memcpy(buffer.bytes + padded - 8, &bits, 8);
            length = padded;
        }
        for (size_t at = 0; at < length / 4; at += 16)
            sha1_block(state, buffer.words + at);
    } while (n == CHUNK);
    snprintf(text, 41, "%08x%08x%08x%08x%08x", state[0], state[1], state[2], state[3], state[4]);
    return 0;
}

static int cheap_sum(int file, char *text)
{
    const uint64_t prime = 0x9e3779b185ebca87u;
    uint64_t lane[8], sum = 0, total = 0;
    ssize_t n;

    for (uint64_t i = 0; i < 8; i++)
        lane[i] = i * prime;
    do {
        n = read_chunk(file, buffer.bytes);
        if (n < 0)
            return -1;
        memset(buffer.bytes + n, 0, 64);
        total += (uint64_t)n;
        for (size_t at = 0; at * 8 < (size_t)n; at += 8)
            for (int i = 0; i < 8; i++) {
                uint64_t x = (lane[i] ^ buffer.long_words[at + (size_t)i]) * prime;

                lane[i] = x << 29 | x >> 35;
            }
    } while (n == CHUNK);
    for (int i = 0; i < 8; i++)
        sum = (sum ^ lane[i]) * prime;
    snprintf(text, 41, "%016lx", sum ^ total);
    return 0;
}

static const char usage[] =
    "usage: digest [-s] [--] FILE...\n"
    "\n"
    "Writes a sum of each file, and its name.\n"
    "  -s      a cheap sum, quicker than SHA-1, for checking transfers only\n"
    "  --      what follows are files, whatever they begin with\n"
    "  --help  this\n"
    "\n"
    "Exit status: 0 done, 1 a file could not be read, 2 usage.\n";

enum { ASKED_HELP = -1, WRONG = -2 };

/* What begins with a '-' ahead of the files: where these begin, or one of the above. */
static int take_options(char **argv, bool *cheap)
{
    int i = 1;

    for (; argv[i] && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "--") == 0)
            return i + 1;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return ASKED_HELP;
        if (strcmp(argv[i], "-s") != 0) {
            fprintf(stderr, "digest: unknown option %s\n", argv[i]);
            return WRONG;
        }
        *cheap = true;
    }
    return i;
}

int main(int argc, char **argv)
{
    bool cheap = false, failed = false;
    int first = take_options(argv, &cheap);

    if (first == ASKED_HELP) {
        fputs(usage, stdout);
        return 0;
    }
    if (first == WRONG || first >= argc) {
        fputs(first == WRONG ? "Try 'digest --help'.\n"
                             : "digest: which file?\nTry 'digest --help'.\n",
              stderr);
        return 2;
    }
    for (int i = first; i < argc; i++) {
        char text[41];
        int file = open(argv[i], O_RDONLY);

        if (file < 0 || (cheap ? cheap_sum(file, text) : sha1(file, text)) < 0) {
            perror(argv[i]);
            failed = true;
        } else {
            printf("%s  %s\n", text, argv[i]);
        }
        if (file >= 0)
            close(file);
    }
    return failed;
}
