"""An entry's bytes on the way to a Volume and back: digest, compression, sparse, encryption, signature."""
