autoload -U +X bashcompinit && bashcompinit
_tool() {
  local word path="" words=""
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="$path $word" ;; esac
  done
  case "$path " in
    " greet"*) words="--help --version --completion --config --listen --nats-url --pin-ttl --partitions --ratio --pprof --max-body --allowed-ips --level --otel-service-name" ;;
    " fail"*) words="--help --version --completion --config" ;;
    " "*) words="greet fail --help --version --completion --config" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _tool tool
