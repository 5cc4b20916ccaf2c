"""The request budget and the breakers of all vendors, shared by the processes that ask them.

The words of this room and of those who use it:

- allowance: at most so many requests in any window of a length, as a vendor's profile says;
- claim: what one request takes of one allowance;
- account: all vendors of one reader, whose requests are counted together;
- budget: the allowances of an account with what is used of them;
- gate: who grants the requests of an account, after waiting for their turn;
- breaker: whether an account is asked at all, after its vendor failed;
- store: where grants and breakers are kept, and `Standing` what it holds about an account.
"""
