"""The collector against its contract: real servers, official client libraries, a bad network, hostile senders."""
