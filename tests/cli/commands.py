"""The commands of the command line."""

from ddb_cache_sync.cli.app import app

COMMANDS = {
    " ".join([*above, command.callback.__name__]): command.callback
    for above, commands in [
        ([], app.registered_commands),
        *(
            ([str(group.name)], group.typer_instance.registered_commands)
            for group in app.registered_groups
            if group.typer_instance
        ),
    ]
    for command in commands
    if command.callback
}
"""By what is written for them, `config check` for instance."""
