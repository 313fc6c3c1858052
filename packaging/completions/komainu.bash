# bash completion for komainu: `komainu complete` knows commands, options and the cluster's names.
_komainu() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == @files ]]; then
            compopt -o filenames 2>/dev/null
            mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
        else
            COMPREPLY+=("${line%%$'\t'*}")
        fi
    done < <("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _komainu komainu
