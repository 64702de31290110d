# manual.awk: reads a page's source (scdoc): its commands, its options and what values they take.
#
# What it finds, for the END of a shell's own file:
#   program, title(scope)          the page's program; the summary of a command
#   scopes[1…scope_count]          its commands, the groups of shared options ("general" and so on), "root" and "own" (those of a
#                                  program without commands)
#   commands[1…command_count]      its commands
#   takes[scope]                   which groups of shared options, and "root", a command takes, too
#   shared                         all groups of shared options
#   operand[scope]                 what its operands are, as kind() says
#   count[scope], words[scope, i]  its options: all its spellings, separated by blanks
#   value[scope, i]                "" (it takes none), or the name that the page gives its value
#   kinds[scope, i], choices[…]    as kind() says
#   text[scope, i]                 one sentence
#   repeated[scope, i]             it may come more than once

# plain TEXT: without the marks of bold and underlined words.
function plain(s,    out, i, c, before, after) {
    out = ""
    for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        before = i > 1 ? substr(s, i - 1, 1) : " "
        after = substr(s, i + 1, 1)
        if (c == "\\") {
            out = out after
            i++
        } else if (c != "*" && !(c == "_" && !(before ~ /[A-Za-z0-9]/ && after ~ /[A-Za-z0-9]/))) {
            out = out c
        }
    }
    return out
}

# The first sentence, or what stands before its first semicolon.
function sentence(s) {
    s = plain(s)
    if (match(s, /(\.|;)( |$)/))
        s = substr(s, 1, RSTART - 1)
    return s
}

# What a value is, by the name that the page gives it: "words" with chosen set, "file", "folder", "zone", "user",
# "container", or "any", where nobody can guess.
function kind(s,    part, parts, n, i) {
    chosen = ""
    if (s ~ /\*/) {
        n = split(s, parts, "|")
        for (i = 1; i <= n; i++) {
            part = parts[i]
            sub(/_[A-Z]+_$/, "", part)
            gsub(/\*/, "", part)
            chosen = chosen (i > 1 ? " " : "") part
        }
        return "words"
    }
    if (s ~ /_RELEASE_/) {
        chosen = "5.x 6.x 7.x 8.x"
        return "words"
    }
    if (s ~ /_ARCH_/) {
        chosen = "x86_64 x86"
        return "words"
    }
    if (s ~ /_(DIR|ROOT)_/)
        return "folder"
    if (s ~ /_(FILE|PATH|A|B)_/)
        return "file"
    if (s ~ /_ZONE_/)
        return "zone"
    if (s ~ /_USER_/)
        return "user"
    if (s ~ /_CONTAINER_/)
        return "container"
    return "any"
}

function open_scope(name) {
    scope = name
    if (!(name in count)) {
        scopes[++scope_count] = name
        count[name] = 0
    }
}

# "*-r*, *--release* _RELEASE_"
function option(line,    spellings, n) {
    spellings = ""
    while (match(line, /^\*-[^*]*\*(, )?/)) {
        spellings = spellings (spellings == "" ? "" : " ") plain(substr(line, RSTART, RLENGTH))
        line = substr(line, RSTART + RLENGTH)
    }
    gsub(/,/, "", spellings)
    gsub(/  +/, " ", spellings)
    sub(/ $/, "", spellings)
    sub(/^ /, "", line)
    n = ++count[scope]
    words[scope, n] = spellings
    value[scope, n] = line == "" ? "" : plain(line)
    kinds[scope, n] = line == "" ? "" : kind(line)
    choices[scope, n] = chosen
    described = 0
}

NR == 1 {
    program = $1
    sub(/\(.*/, "", program)
}

/^# / {
    heading = substr($0, 3)
    scope = ""
    if (heading == "ROOT OPTIONS")
        open_scope("root")
    else if (heading == "TEMPLATE OPTIONS")
        open_scope("own")
}

# "## Cache options"
/^## [A-Z][a-z]+ options$/ && heading == "SHARED OPTIONS" {
    open_scope(tolower($2))
    shared = shared " " scope
    next
}

/^## / && heading == "COMMANDS" {
    open_scope(substr($0, 4))
    commands[++command_count] = scope
    next
}

scope == "" { next }

# The synopsis of a command tells its operands.
heading == "COMMANDS" && /^\*plamo-fast / {
    line = $0
    sub(/^\*plamo-fast [^*]*\*/, "", line)
    sub(/\[?_OPTIONS_\]?.*/, "", line)
    if (line ~ /_/ && !(scope in operand))
        operand[scope] = kind(line)
    next
}

/^\*-/ {
    option($0)
    next
}

# The first paragraph of an option, and of a command.
/^\t/ && count[scope] && !described {
    paragraph = paragraph (paragraph == "" ? "" : " ") substr($0, 2)
    text[scope, count[scope]] = sentence(paragraph)
    if (paragraph ~ /may be repeated/)
        repeated[scope, count[scope]] = 1
    next
}

/^$/ {
    if (paragraph != "")
        described = 1
    paragraph = ""
    next
}

heading == "COMMANDS" && !/^Example: / { prose[scope] = prose[scope] " " plain($0) }

END {
    for (i = 1; i <= command_count; i++) {
        scope = commands[i]
        title[scope] = sentence(substr(prose[scope], 2))
        takes[scope] = prose[scope] ~ /the shared options/ ? shared : ""
        n = split(shared, groups, " ")
        for (j = 1; j <= n && takes[scope] == ""; j++)
            for (k = 1; k <= n; k++)
                if (index(prose[scope], "the " groups[k] " options") && !index(takes[scope], groups[k]))
                    takes[scope] = takes[scope] " " groups[k]
        takes[scope] = takes[scope] (index(prose[scope], "the root options") ? " root" : "")
    }
}
