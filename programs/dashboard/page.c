/* SPDX-License-Identifier: BSD-2-Clause */
/* The page, as the files beside this one have it: inside the program, so that it needs no file system. */
#include <string.h>

#include "programs/dashboard/dashboard.h"

/* The bytes of a file as the symbols NAME and NAME_end. */
#define INCLUDE_FILE(name, path)                                                                   \
    __asm__(".pushsection .rodata\n.global " #name "\n" #name ":\n.incbin \"" path                 \
            "\"\n.global " #name "_end\n" #name "_end:\n.byte 0\n.popsection\n");                  \
    extern const char name[], name##_end[]

INCLUDE_FILE(page_html, "programs/dashboard/page.html");
INCLUDE_FILE(page_css, "programs/dashboard/page.css");
INCLUDE_FILE(page_js, "programs/dashboard/page.js");
INCLUDE_FILE(page_draw_js, "programs/dashboard/page_draw.js");
INCLUDE_FILE(page_map_js, "programs/dashboard/page_map.js");

const char *page_part(const char *path, const char **type, size_t *length)
{
    static const struct {
        const char *path, *type, *begin, *end;
    } parts[] = {
        {"/", "text/html; charset=utf-8", page_html, page_html_end},
        {"/page.css", "text/css; charset=utf-8", page_css, page_css_end},
        {"/page.js", "text/javascript; charset=utf-8", page_js, page_js_end},
        {"/page_draw.js", "text/javascript; charset=utf-8", page_draw_js, page_draw_js_end},
        {"/page_map.js", "text/javascript; charset=utf-8", page_map_js, page_map_js_end},
    };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(path, parts[i].path) == 0) {
            *type = parts[i].type;
            *length = (size_t)(parts[i].end - parts[i].begin);
            return parts[i].begin;
        }
    return NULL;
}
