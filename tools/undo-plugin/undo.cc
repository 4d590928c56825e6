// SPDX-License-Identifier: BSD-2-Clause
/*
 * A plugin for gcc 12 (package gcc-12-plugin-dev) that logs stores: before each store to memory that outlives the
 * function, the old contents go into the undo log (lib/undo/undo.h says what that is for and what an entry looks like).
 * The end of the log is in %r15, which everything is compiled to leave alone (-ffixed-r15). It runs behind all passes that
 * make, join or remove stores, so what is logged is what is stored.
 *
 *     a word, or less        one entry, inline
 *     up to INLINE_MOST      one entry with its data, inline
 *     more, memcpy() etc.    a call of __undo_range (lib/undo/entry.S), which keeps all registers
 *
 * Not logged: a function's own automatic variables (the step that they belong to is dropped as a whole); functions with
 * __attribute__((no_instrument_function)); __atomic builtins (they are for memory that is shared with others, whose stores
 * nobody may take back). Functions of the C library that store through a pointer and that the compiler knows are errors.
 */
#include "gcc-plugin.h"

#include "plugin-version.h"

#include "tree.h"

#include "gimple.h"

#include "gimple-iterator.h"

#include "basic-block.h"
#include "builtins.h"
#include "context.h"
#include "diagnostic-core.h"
#include "fold-const.h"
#include "function.h"
#include "gimple-fold.h"
#include "gimplify-me.h"
#include "gimplify.h"
#include "ssa.h"
#include "stor-layout.h"
#include "stringpool.h"
#include "attribs.h"
#include "tree-dfa.h"
#include "tree-pass.h"
#include "tree-ssanames.h"

#include <string>

int plugin_is_GPL_compatible;

static const unsigned WORD = 8, INLINE_MOST = 64;

// A variable that is gone when the function returns: a copy of it is nobody's business.
static bool is_own(tree base)
{
    if (!base || !(VAR_P(base) || TREE_CODE(base) == PARM_DECL || TREE_CODE(base) == RESULT_DECL))
        return false;
    return !is_global_var(base) && !(TREE_CODE(base) == RESULT_DECL && DECL_BY_REFERENCE(base));
}

static bool points_to_own(tree pointer)
{
    return TREE_CODE(pointer) == ADDR_EXPR && is_own(get_base_address(TREE_OPERAND(pointer, 0)));
}

// ---- code that is put before a statement ----

static tree operand(const char *constraint, tree value)
{
    return build_tree_list(build_tree_list(NULL_TREE, build_string(strlen(constraint) + 1, constraint)), value);
}

static void put_asm(gimple_stmt_iterator *at, const std::string &text, vec<tree, va_gc> *in, bool scratch)
{
    vec<tree, va_gc> *out = NULL;
    tree name = scratch ? make_ssa_name(long_unsigned_type_node) : NULL_TREE;
    gasm *code;

    if (scratch)
        vec_safe_push(out, operand("=&r", name));
    code = gimple_build_asm_vec(text.c_str(), in, out, NULL, NULL);
    gimple_asm_set_volatile(code, true);
    if (scratch)
        SSA_NAME_DEF_STMT(name) = code;
    gsi_insert_before(at, code, GSI_SAME_STMT);
    update_stmt(code);
}

static tree as_value(gimple_stmt_iterator *at, tree type, tree value)
{
    return force_gimple_operand_gsi(at, fold_convert(type, value), true, NULL_TREE, true, GSI_SAME_STMT);
}

// (Nothing is moved across a volatile asm from here on.)
static void log_range(gimple_stmt_iterator *at, tree address, tree length)
{
    vec<tree, va_gc> *in = NULL;

    address = as_value(at, ptr_type_node, address);
    length = as_value(at, size_type_node, length);
    vec_safe_push(in, operand("D", address));
    vec_safe_push(in, operand("S", length));
    put_asm(at, "call __undo_range", in, false);
}

static std::string number(unsigned n)
{
    return std::to_string(n);
}

// One word: its address, its contents. `within`: the word of memory that has all of a smaller object.
static std::string word_entry(bool within)
{
    return std::string("leaq %1, %0\n") + (within ? "\tandq $-8, %0\n" : "") +
           "\tmovq %0, (%%r15)\n\tmovq (%0), %0\n\tmovq %0, 8(%%r15)\n\tleaq 16(%%r15), %%r15";
}

// Several bytes, at the address in a register: the data, then address with bit 63 set, then length.
static std::string data_entry(unsigned bytes)
{
    unsigned room = (bytes + 15) / 16 * 16;
    std::string text;

    for (unsigned done = 0; done < bytes; done += WORD) {
        unsigned at = done + WORD <= bytes ? done : bytes - WORD;

        text += "movq " + number(at) + "(%1), %0\n\tmovq %0, " + number(at) + "(%%r15)\n\t";
    }
    return text + "movq %1, %0\n\tbtsq $63, %0\n\tmovq %0, " + number(room) + "(%%r15)\n\tmovq $" + number(bytes) + ", " +
           number(room + WORD) + "(%%r15)\n\tleaq " + number(room + 2 * WORD) + "(%%r15), %%r15";
}

// A bit field is stored to as part of what it lies in.
static tree whole_of(tree lhs)
{
    if (TREE_CODE(lhs) == COMPONENT_REF && DECL_BIT_FIELD_TYPE(TREE_OPERAND(lhs, 1))) {
        tree around = DECL_BIT_FIELD_REPRESENTATIVE(TREE_OPERAND(lhs, 1));

        if (around)
            return build3(COMPONENT_REF, TREE_TYPE(around), unshare_expr(TREE_OPERAND(lhs, 0)), around, NULL_TREE);
    }
    if (TREE_CODE(lhs) == BIT_FIELD_REF || TREE_CODE(lhs) == REALPART_EXPR || TREE_CODE(lhs) == IMAGPART_EXPR)
        return TREE_OPERAND(lhs, 0);
    return lhs;
}

static void log_store(gimple_stmt_iterator *at, tree lhs)
{
    vec<tree, va_gc> *in = NULL;
    unsigned HOST_WIDE_INT bytes;
    bool aligned;
    tree size;

    if (is_own(get_base_address(lhs)))
        return;
    lhs = whole_of(lhs);
    size = TYPE_SIZE_UNIT(TREE_TYPE(lhs));
    if (size && integer_zerop(size))
        return;
    bytes = size && tree_fits_uhwi_p(size) ? tree_to_uhwi(size) : INLINE_MOST + 1;
    aligned = get_object_alignment(lhs) / BITS_PER_UNIT >= bytes;
    // Nothing is read beyond an object that might be the last before a hole: only within its own word.
    if (bytes > INLINE_MOST || (bytes < WORD && !aligned)) {
        mark_addressable(lhs);
        log_range(at, build_fold_addr_expr(unshare_expr(lhs)), unshare_expr(size));
        return;
    }
    mark_addressable(lhs);
    if (bytes <= WORD) {
        vec_safe_push(in, operand("m", unshare_expr(lhs)));
        put_asm(at, word_entry(bytes < WORD), in, true);
        return;
    }
    vec_safe_push(in, operand("r", as_value(at, ptr_type_node, build_fold_addr_expr(unshare_expr(lhs)))));
    put_asm(at, data_entry(bytes), in, true);
}

// ---- what stores ----

static void look_at_builtin(gimple_stmt_iterator *at, gcall *call, tree function)
{
    tree to = gimple_call_num_args(call) ? gimple_call_arg(call, 0) : NULL_TREE;

    switch (DECL_FUNCTION_CODE(function)) {
    case BUILT_IN_MEMCPY:
    case BUILT_IN_MEMMOVE:
    case BUILT_IN_MEMSET:
    case BUILT_IN_MEMPCPY:
        if (!points_to_own(to))
            log_range(at, to, gimple_call_arg(call, 2));
        break;
    case BUILT_IN_STRNCPY: // lib/undo/libc.c has these: their own stores are logged
    case BUILT_IN_STPNCPY:
    case BUILT_IN_STRCPY:
    case BUILT_IN_STPCPY:
    case BUILT_IN_STRCAT:
    case BUILT_IN_STRDUP:
        break;
    case BUILT_IN_STRNCAT:
    case BUILT_IN_STRNDUP:
        error_at(gimple_location(call), "%qD stores what lib/undo cannot log: use another function", function);
        break;
    default:
        break;
    }
}

static void look_at_call(gimple_stmt_iterator *at, gcall *call)
{
    tree function = gimple_call_fndecl(call), lhs = gimple_call_lhs(call);

    if (lhs && TREE_CODE(lhs) != SSA_NAME)
        log_store(at, lhs);
    if (function && fndecl_built_in_p(function, BUILT_IN_NORMAL))
        look_at_builtin(at, call, function);
}

static void look_at_asm(gimple_stmt_iterator *at, gasm *code)
{
    for (unsigned i = 0; i < gimple_asm_noutputs(code); i++) {
        tree value = TREE_VALUE(gimple_asm_output_op(code, i));

        if (TREE_CODE(value) != SSA_NAME)
            log_store(at, value);
    }
}

static void look_at(gimple_stmt_iterator *at)
{
    gimple *statement = gsi_stmt(*at);

    if (gimple_clobber_p(statement))
        return;
    if (is_gimple_assign(statement) && gimple_store_p(statement))
        log_store(at, gimple_assign_lhs(statement));
    else if (gcall *call = dyn_cast<gcall *>(statement))
        look_at_call(at, call);
    else if (gasm *code = dyn_cast<gasm *>(statement))
        look_at_asm(at, code);
}

static const pass_data description = {
    GIMPLE_PASS, "undo", OPTGROUP_NONE, TV_NONE, PROP_ssa | PROP_cfg, 0, 0, 0, TODO_update_ssa_only_virtuals};

struct undo_pass : gimple_opt_pass {
    undo_pass(gcc::context *context) : gimple_opt_pass(description, context)
    {
    }
    unsigned int execute(function *f) final override
    {
        basic_block block;

        if (lookup_attribute("no_instrument_function", DECL_ATTRIBUTES(f->decl)))
            return 0;
        FOR_EACH_BB_FN (block, f)
            for (gimple_stmt_iterator at = gsi_start_bb(block); !gsi_end_p(at); gsi_next(&at))
                look_at(&at);
        return 0;
    }
};

int plugin_init(plugin_name_args *info, plugin_gcc_version *version)
{
    register_pass_info pass = {new undo_pass(g), "sanopt", 1, PASS_POS_INSERT_AFTER};

    if (!plugin_default_version_check(version, &gcc_version)) {
        error("the undo plugin was built for another version of gcc");
        return 1;
    }
    register_callback(info->base_name, PLUGIN_PASS_MANAGER_SETUP, NULL, &pass);
    return 0;
}
