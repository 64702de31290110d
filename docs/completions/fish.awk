# fish.awk: after manual.awk, writes the completion for fish.

function quoted(s) {
    gsub(/\\/, "\\\\", s)
    gsub(/'/, "\\'", s)
    return "'" s "'"
}

# What stands for a value, as arguments of fish's complete.
function action(sort, set) {
    if (sort == "file")
        return " -r -F"
    if (sort == "words")
        return " -x -a " quoted(set)
    if (sort == "folder")
        return " -x -a '(__fish_complete_directories)'"
    if (sort == "zone")
        return " -x -a '(string match -rv \"^#\" < /usr/share/zoneinfo/zone.tab | cut -f3)'"
    if (sort == "user")
        return " -x -a '(__fish_complete_users)'"
    if (sort == "container")
        return " -x -a '(lxc-ls -1 2>/dev/null)'"
    return " -x"
}

function print_options(scope, condition,    i, j, n, spelled, line) {
    for (i = 1; i <= count[scope]; i++) {
        line = "complete -c " program condition
        n = split(words[scope, i], spelled, " ")
        for (j = 1; j <= n; j++)
            line = line (spelled[j] ~ /^--/ ? " -l " substr(spelled[j], 3) : " -s " substr(spelled[j], 2))
        if (value[scope, i] != "")
            line = line action(kinds[scope, i], choices[scope, i])
        print line " -d " quoted(text[scope, i])
    }
}

# The commands that take the options of a shared scope.
function users_of(scope,    i, all) {
    all = ""
    for (i = 1; i <= command_count; i++)
        if (index(takes[commands[i]], scope))
            all = all " " commands[i]
    return " -n '__fish_seen_subcommand_from" all "'"
}

END {
    print "# fish completion for " program "; made from its manual page."
    print "complete -c " program " -f"
    if (!command_count) {
        print_options("own", "")
        print_options("root", "")
        n = split(shared, groups, " ")
        for (i = 1; i <= n; i++)
            print_options(groups[i], "")
        exit
    }
    print "complete -c " program " -n __fish_use_subcommand -s h -l help -d 'Show a short help and exit'"
    print "complete -c " program " -n __fish_use_subcommand -l version -d 'Show the version and exit'"
    for (i = 1; i <= command_count; i++) {
        scope = commands[i]
        print "complete -c " program " -n __fish_use_subcommand -a " scope " -d " quoted(title[scope])
        here = " -n '__fish_seen_subcommand_from " scope "'"
        print_options(scope, here)
        if (operand[scope] == "file")
            print "complete -c " program here " -F"
        else if (operand[scope] != "" && operand[scope] != "any")
            print "complete -c " program here action(operand[scope], "")
    }
    n = split(shared, groups, " ")
    for (i = 1; i <= n; i++)
        print_options(groups[i], users_of(groups[i]))
    print_options("root", users_of("root"))
}
