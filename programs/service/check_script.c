/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy script. The shell itself says whether it can read it ("sh -n"); here it is cut into words
 * as a shell would, as far as is needed to find each call of service(8), whose words are checked.
 * What is quoted, or comes out of a variable, is believed.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "programs/service/check.h"
#include "programs/service/manifests.h"
#include "programs/service/service.h"

#define WORD_MAX 64 /* of one that is looked at; the rest of it is not */
#define WORDS_MAX 16 /* of a call of service(8); further ones are believed */

struct script {
    struct check *check;
    const char *at;
    unsigned line;
    char word[WORD_MAX];
    unsigned length; /* of the word being read; 0: between words */
    bool is_plain; /* it says itself what it is */
    bool is_command; /* the next word is one */
    bool is_file; /* the next word is that of a redirection */
    char end_of_text[WORD_MAX]; /* of a here-document that begins with the next line */
    /* the call of service(8) that is being read */
    bool calls;
    unsigned call_line, words;
    char call[WORDS_MAX][WORD_MAX]; /* "" one that is not plain */
    bool decides; /* some call did */
};

/* ---- a call ---- */

static bool is_decision(const char *word)
{
    static const char *const decisions[] = {"restart", "up", "down", "hold", ""};

    for (unsigned i = 0; i < sizeof decisions / sizeof *decisions; i++)
        if (strcmp(word, decisions[i]) == 0)
            return true;
    return false;
}

static void unknown(struct script *s, const char *what, const char *word, const char *near)
{
    if (near)
        check_error(s->check, s->call_line, "service: unknown %s '%s' (did you mean '%s'?)", what,
                    word, near);
    else
        check_error(s->check, s->call_line, "service: unknown %s '%s'", what, word);
}

static void check_fault(struct script *s)
{
    const char *words[WORDS_MAX], *fault;

    for (unsigned i = 0; i < s->words; i++)
        words[i] = s->call[i];
    fault = call_fault(words, s->words);
    if (fault)
        check_error(s->check, s->call_line, "service: %s", fault);
}

/* A call is looked at once, when its command ends. One whose words come out of variables says
 * nothing, so it is neither found fault with nor taken for one that cannot decide. */
static void check_call(struct script *s)
{
    const char *command = s->words ? s->call[0] : "";

    if (!s->calls)
        return;
    s->calls = false;
    s->decides |= is_decision(command) && s->words;
    if (s->words == 0) {
        check_error(s->check, s->call_line, "service: a command is missing");
        return;
    }
    if (command[0] && command[0] != '-' && !command_exists(command)) {
        unknown(s, "command", command, command_suggested(command));
        return;
    }
    for (unsigned i = 1; i < s->words; i++)
        if (s->call[i][0] == '-' && !option_exists(s->call[i]))
            unknown(s, "option", s->call[i], option_suggested(s->call[i]));
    if (command[0] && command[0] != '-' && s->words < WORDS_MAX)
        check_fault(s);
    if (command_needs_name(command) && s->words > 1 && isalpha(s->call[1][0]) &&
        !manifest_of(s->call[1]))
        unknown(s, "service", s->call[1], manifest_suggested(s->call[1]));
}

/* ---- words ---- */

static bool is_assignment(const char *word)
{
    size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    return n > 0 && word[n] == '=';
}

static bool is_prefix(const char *word) /* behind it a command may follow */
{
    static const char *const prefixes[] = {"then",  "do", "else", "elif", "if",   "while",
                                           "until", "!",  "exec", "{",    "nice", "nohup"};

    for (unsigned i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strcmp(word, prefixes[i]) == 0)
            return true;
    return is_assignment(word);
}

static void end_word(struct script *s)
{
    if (s->length == 0)
        return;
    s->word[s->length < WORD_MAX ? s->length : WORD_MAX - 1] = 0;
    s->length = 0;
    if (s->is_file)
        s->is_file = false;
    else if (s->is_command) {
        s->is_command = is_prefix(s->word);
        s->calls = s->is_plain && strcmp(s->word, "service") == 0;
        s->call_line = s->line;
        s->words = 0;
    } else if (s->calls && s->words < WORDS_MAX)
        strcpy(s->call[s->words++], s->is_plain ? s->word : "");
}

static void end_command(struct script *s)
{
    end_word(s);
    check_call(s);
    s->is_command = true;
    s->is_file = false;
}

static void add(struct script *s, char c, bool is_plain)
{
    if (s->length == 0)
        s->is_plain = true;
    s->is_plain &= is_plain;
    if (s->length < WORD_MAX - 1)
        s->word[s->length] = c;
    s->length++;
}

/* Up to the quote that ends it; in double quotes a backslash takes the next. */
static void read_quoted(struct script *s)
{
    char quote = *s->at++;

    add(s, ' ', false);
    for (; *s->at && *s->at != quote; s->at++) {
        if (quote == '"' && *s->at == '\\' && s->at[1])
            s->at++;
        s->line += *s->at == '\n';
    }
    s->at += *s->at != 0;
}

static void skip_line(struct script *s)
{
    s->at += strcspn(s->at, "\n");
}

/* The lines of a here-document, behind the one that asks for it. */
static void skip_document(struct script *s)
{
    size_t n = strlen(s->end_of_text);

    while (*s->at) {
        const char *line = s->at + strspn(s->at, "\t");
        bool is_end = strncmp(line, s->end_of_text, n) == 0 && (line[n] == '\n' || line[n] == 0);

        skip_line(s);
        s->line += *s->at == '\n';
        s->at += *s->at == '\n';
        if (is_end)
            break;
    }
    s->end_of_text[0] = 0;
}

static void read_redirection(struct script *s)
{
    bool is_document = strncmp(s->at, "<<", 2) == 0;

    if (s->length == 1 && isdigit(s->word[0]))
        s->length = 0; /* the number of the file */
    end_word(s);
    s->at += strspn(s->at, "<>");
    s->at += *s->at == '&' || *s->at == '|' || (is_document && *s->at == '-');
    s->is_file = !is_document;
    if (is_document) {
        size_t n;

        s->at += strspn(s->at, " \t'\"\\");
        n = strcspn(s->at, " \t\n'\";|&)");
        snprintf(s->end_of_text, sizeof s->end_of_text, "%.*s", (int)n, s->at);
        s->at += n;
        s->at += *s->at == '\'' || *s->at == '"';
    }
}

static void read_newline(struct script *s)
{
    end_command(s);
    s->at++;
    s->line++;
    if (s->end_of_text[0])
        skip_document(s);
}

static void read_text(struct script *s)
{
    char c = *s->at;

    if (c == '\\' && s->at[1] == '\n') {
        s->line++;
        s->at += 2;
    } else if (c == '\\' && s->at[1]) {
        add(s, ' ', false);
        s->at += 2;
    } else if (c == '\'' || c == '"')
        read_quoted(s);
    else if (c == '#' && s->length == 0)
        skip_line(s);
    else if (c == ' ' || c == '\t' || c == '\r') {
        end_word(s);
        s->at++;
    } else if (c == '<' || c == '>')
        read_redirection(s);
    else if (strchr(";&|()`", c)) {
        end_command(s);
        s->at++;
    } else {
        add(s, c, c != '$' && c != '*' && c != '?');
        s->at++;
    }
}

/* ---- the whole ---- */

/* "FILE: line 3: syntax error", "FILE: 3: ..." -> FILE:3: */
static void take_complaint(struct check *c, char *text)
{
    size_t n = strlen(c->file);
    unsigned line = 0;

    if (strncmp(text, c->file, n) == 0 && text[n] == ':') {
        char *at = text + n + 1, *end;

        at += strspn(at, " ");
        at += strncmp(at, "line ", 5) == 0 ? 5 : 0;
        line = (unsigned)strtoul(at, &end, 10);
        if (end > at && *end == ':')
            text = end + 1 + strspn(end + 1, " ");
        else
            line = 0;
    }
    check_error(c, line, "%s", text);
}

static void exec_shell(const char *file, int out)
{
    dup2(out, STDERR_FILENO);
    execlp("busybox", "sh", "-n", file, (char *)NULL); /* the system's shell, on the host, too */
    execl(SHELL, "sh", "-n", file, (char *)NULL);
    _exit(127);
}

static void ask_shell(struct check *c)
{
    unsigned before = c->errors;
    char text[512];
    int ends[2], status = 0;
    FILE *from;
    pid_t child;

    if (pipe(ends) < 0)
        return;
    child = fork();
    if (child == 0)
        exec_shell(c->file, ends[1]);
    close(ends[1]);
    from = fdopen(ends[0], "r");
    while (from && fgets(text, sizeof text, from)) {
        text[strcspn(text, "\n")] = 0;
        if (c->errors == before) /* the first is the one; the others follow from it */
            take_complaint(c, text);
    }
    if (from)
        fclose(from);
    if (child > 0 && waitpid(child, &status, 0) == child && status != 0 && c->errors == before)
        check_error(c, 0, "the shell does not take it");
}

void check_script(struct check *c, char *text)
{
    struct script s = {.check = c, .at = text, .line = 1, .is_command = true};
    size_t first = strcspn(text, "\n");
    bool is_for_end = strstr(text, "at-end") != NULL; /* it says so; that decides nothing */
    struct stat status;

    manifests_load(c->top);
    if (strncmp(text, "#!", 2) != 0)
        check_error(c, 1, "the first line is to be #!/bin/sh");
    else if (first < 4 || strncmp(text + first - 3, "/sh", 3) != 0)
        check_error(c, 1, "the system's shell, sh, runs it, whatever the first line says");
    if (stat(c->file, &status) == 0 && !(status.st_mode & 0111))
        check_error(c, 0, "not executable (chmod +x): it would not be run");
    ask_shell(c);
    while (*s.at) {
        if (*s.at == '\n')
            read_newline(&s);
        else
            read_text(&s);
    }
    end_command(&s);
    if (!s.decides && !is_for_end && c->errors == 0)
        check_warning(c, 0,
                      "it never calls 'service restart': when it ends with 0, the component "
                      "stays down");
}
