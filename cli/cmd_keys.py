"""``evidence keys``: the keyring's epochs and backups, and who may sign what."""

from __future__ import annotations

from cli import keys_keyring, keys_signing
from cli.groups import Group, Subcommand

GROUP = Group(
    "keys",
    "Keyring: rotation, backups; who may sign.",
    (
        Subcommand("list", keys_signing.list_, keys_signing.LIST, "Who may sign what; the keyring's epochs."),
        Subcommand("new", keys_signing.new, keys_signing.NEW, "Make a signing key."),
        Subcommand("enrol", keys_signing.enrol, keys_signing.ENROL, "Enrol a key in the log."),
        Subcommand("retire", keys_signing.retire, keys_signing.RETIRE, "Retire a key."),
        Subcommand("rotate", keys_keyring.rotate, keys_keyring.ROTATE, "New epoch; older backups become noise."),
        Subcommand("backup", keys_keyring.backup, keys_keyring.BACKUP, "Back the keyring up, opened again."),
        Subcommand("restore", keys_keyring.restore, keys_keyring.RESTORE, "Restore a backup, or only try to."),
        Subcommand("reconcile", keys_keyring.reconcile, keys_keyring.RECONCILE, "Follow the ledger's erasures."),
    ),
)
