// Asio and Beast, compiled once for the whole program instead of in every unit that includes them.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
