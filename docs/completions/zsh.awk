# zsh.awk: after manual.awk, writes the completion for zsh, in the words of its _arguments.

function quoted(s) {
    gsub(/'/, "'\\''", s)
    gsub(/\[/, "\\[", s)
    gsub(/\]/, "\\]", s)
    gsub(/:/, "\\:", s)
    return s
}

# ":message:action"
function action(sort, set, message) {
    message = tolower(message)
    gsub(/\|/, " or ", message)
    if (sort == "words") {
        gsub(/:/, "\\:", set)
        return ":value:(" set ")"
    }
    if (sort == "file")
        return ":file:_files"
    if (sort == "folder")
        return ":folder:_files -/"
    if (sort == "zone")
        return ":time zone:_time_zone"
    if (sort == "user")
        return ":user:_users"
    if (sort == "container")
        return ":container:($(lxc-ls -1 2>/dev/null))"
    return ":" quoted(message) ":"
}

function print_options(scope,    i, j, n, spelled, all, tail) {
    for (i = 1; i <= count[scope]; i++) {
        n = split(words[scope, i], spelled, " ")
        tail = "[" quoted(text[scope, i]) "]"
        if (value[scope, i] != "")
            tail = tail action(kinds[scope, i], choices[scope, i], value[scope, i])
        for (j = 1; j <= n; j++) {
            all = repeated[scope, i] ? "*" : n > 1 ? "(" words[scope, i] ")" : ""
            all = all spelled[j]
            # --release=8.x and --release 8.x; -r8.x and -r 8.x
            if (value[scope, i] != "")
                all = all (spelled[j] ~ /^--/ ? "=" : "+")
            printf "    '%s%s'\n", all, tail
        }
    }
}

END {
    print "#compdef " program
    print "# zsh completion for " program "; made from its manual page."
    print "local -a" shared " root own commands"
    for (i = 1; i <= scope_count; i++) {
        scope = scopes[i]
        if (scope ~ /^(root|own)$/ || index(shared " ", " " scope " ")) {
            print scope "=("
            print_options(scope)
            print ")"
        }
    }
    if (!command_count) {
        all = shared
        gsub(/ /, " $", all)
        print "_arguments -s -S $own $root" all
        exit
    }
    print "commands=("
    for (i = 1; i <= command_count; i++)
        printf "    '%s:%s'\n", commands[i], quoted(title[commands[i]])
    print ")"
    print "if (( CURRENT == 2 )); then"
    print "    _describe -t commands command commands"
    print "    _arguments '(-h --help)'{-h,--help}'[" quoted("Show a short help and exit") "]' '--version[Show the version and exit]'"
    print "    return"
    print "fi"
    print "local command=$words[2]"
    print "shift words"
    print "(( CURRENT-- ))"
    print "case $command in"
    for (i = 1; i <= command_count; i++) {
        scope = commands[i]
        print scope ")"
        print "    own=("
        print_options(scope)
        if (operand[scope] != "")
            printf "    '*%s'\n", action(operand[scope], "", "operand")
        print "    )"
        others = takes[scope]
        gsub(/ /, " $", others)
        print "    _arguments -s -S $own" others
        print "    ;;"
    }
    print "esac"
}
