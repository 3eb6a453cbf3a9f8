"""What other apps may hear about accounts."""

from django.dispatch import Signal

# A person is here for the first time. Sent once per identity, inside the transaction that records it, so that
# a receiver's rows are written with it or not at all. `user`: the User; `identity_key`: str, names the person
# for good and says nothing about them: it survives the erasure of the account.
user_joined = Signal()
