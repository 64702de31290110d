# bash.awk: after manual.awk, writes the completion for bash. It needs nothing of bash-completion, which loads it by name.

function list_of(scope,    i, all) {
    all = ""
    for (i = 1; i <= count[scope]; i++)
        all = all (all == "" ? "" : " ") words[scope, i]
    return all
}

# "-r|--release) …;;" for each option of the scope that takes a value.
function print_values(scope, indent,    i, pattern) {
    for (i = 1; i <= count[scope]; i++) {
        if (value[scope, i] == "")
            continue
        pattern = words[scope, i]
        gsub(/ /, "|", pattern)
        printf "%s%s) _%s_offer %s%s ;;\n", indent, pattern, name, kinds[scope, i], \
            kinds[scope, i] == "words" ? " " choices[scope, i] : ""
    }
}

function print_offer() {
    print "# " "_" name "_offer KIND [WORD…]: what can stand where the cursor is."
    print "_" name "_offer() {"
    print "    local kind=$1"
    print "    shift"
    print "    case $kind in"
    print "    words)"
    print "        COMPREPLY=($(compgen -W \"$*\" -- \"$current\"))"
    print "        # More of the word is to come."
    print "        [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[:=] ]] && compopt -o nospace 2>/dev/null"
    print "        ;;"
    print "    file | folder)"
    print "        compopt -o filenames 2>/dev/null"
    print "        if [[ $kind == folder ]]; then"
    print "            mapfile -t COMPREPLY < <(compgen -d -- \"$current\")"
    print "        else"
    print "            mapfile -t COMPREPLY < <(compgen -f -- \"$current\")"
    print "        fi"
    print "        ;;"
    print "    zone) COMPREPLY=($(compgen -W \"$(sed -n '/^#/!p' /usr/share/zoneinfo/zone.tab 2>/dev/null | cut -f3)\" -- \"$current\")) ;;"
    print "    user) COMPREPLY=($(compgen -u -- \"$current\")) ;;"
    print "    container) COMPREPLY=($(compgen -W \"$(lxc-ls -1 2>/dev/null)\" -- \"$current\")) ;;"
    print "    esac"
    print "    return 0"
    print "}"
    print ""
}

function print_head() {
    print "# bash completion for " program "; made from its manual page."
    print ""
    print_offer()
    print "_" name "() {"
    print "    local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}"
    print "    COMPREPLY=()"
    print "    # The = of --option=value is a word of its own here."
    print "    if [[ $current == = ]]; then"
    print "        current="
    print "    elif [[ $option == = ]]; then"
    print "        option=${COMP_WORDS[COMP_CWORD - 2]}"
    print "    fi"
}


END {
    name = program
    gsub(/-/, "_", name)
    print_head()
    if (command_count) {
        names = ""
        for (i = 1; i <= command_count; i++)
            names = names (i > 1 ? " " : "") commands[i]
        print "    if [[ $COMP_CWORD -eq 1 ]]; then"
        print "        _" name "_offer words " names " --help --version"
        print "        return"
        print "    fi"
        print "    case ${COMP_WORDS[1]} in"
        for (i = 1; i <= command_count; i++)
            print_scope(commands[i], commands[i] ")")
        print "    esac"
    } else {
        takes["own"] = " root" shared
        print "    case x in"
        print_scope("own", "x)")
        print "    esac"
    }
    print "}"
    print "complete -F _" name " " program
}

function print_scope(scope, pattern,    others, n, j, all) {
    n = split(takes[scope], others, " ")
    all = list_of(scope)
    for (j = 1; j <= n; j++)
        all = all " " list_of(others[j])
    sub(/^ /, "", all)
    print "    " pattern
    print "        case $option in"
    print_values(scope, "        ")
    for (j = 1; j <= n; j++)
        print_values(others[j], "        ")
    print "        *)"
    print "            if [[ $current == -* ]]; then"
    print "                _" name "_offer words " all
    if (operand[scope] != "" && operand[scope] != "any") {
        print "            else"
        print "                _" name "_offer " operand[scope]
    }
    print "            fi"
    print "            ;;"
    print "        esac"
    print "        ;;"
}
