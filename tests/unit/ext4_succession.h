/* SPDX-License-Identifier: BSD-2-Clause */
/* The death of the server of ext4_disk.h. */
#ifndef TESTS_EXT4_SUCCESSION_H
#define TESTS_EXT4_SUCCESSION_H

#include "tests/unit/ext4_disk.h"

/* Of the server nothing is left but its box; everything that has been posted ends. Then a successor has
 * mounted. */
static void succeed(void)
{
    for (struct request *r = requests; r < requests + SLOTS; r++) {
        uint32_t size = volume.block_size;

        if (r->is_used && r->memory)
            note(r->block * size, r->memory, r->count * size, r->is_fua);
        for (uint32_t n = 0; r->is_used && !r->memory && n < r->count; n++)
            note(r->list[n]->block * size, buffer_data(r->list[n]), size, false);
        r->is_used = false;
    }
    reading_count = 0;
    commit_forget();
    write_forget();
    journal_forget();
    zones_forget();
    write_unflushed = work_is_wanted = ordered_has_changed = false;
    mount_begin("mount=1 device=8:0", true);
    for (unsigned turns = 0; !mount_is_ready(); turns++) {
        mount_step();
        end_some();
        assert_true(turns < 1000 && !mount_error());
    }
    assert_true(mount_was_adopted());
    orphans_release();
}

#endif
