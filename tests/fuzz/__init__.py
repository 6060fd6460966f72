"""Damaged files by the thousand: every one is accepted with a reason to, or rejected with one."""
