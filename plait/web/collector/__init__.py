"""The collector: where pages, products and servers send what happens, by the protocol of their libraries."""
